"""How a run trains.

Every method takes a weight vector, or a constraint that a dual controller turns into weights. A
module here for each family; what they share is in `base`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from paretoflow.spec.methods.base import DualSpec, MethodBase
from paretoflow.spec.methods.offline import DpoMethodSpec, ModpoMethodSpec
from paretoflow.spec.methods.online import GrpoMethodSpec

__all__ = [
    "DpoMethodSpec",
    "DualSpec",
    "GrpoMethodSpec",
    "MethodBase",
    "MethodSpec",
    "ModpoMethodSpec",
]

MethodSpec = Annotated[
    DpoMethodSpec | ModpoMethodSpec | GrpoMethodSpec, Field(discriminator="type")
]
