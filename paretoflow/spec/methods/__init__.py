"""Specs of the training methods.

Every method takes a weight vector, or a constraint that a dual controller turns into weights. There
is one module per family; common fields are in `base`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from paretoflow.spec.methods.base import DualSpec, MethodBase, units_of
from paretoflow.spec.methods.command import CommandMethodSpec
from paretoflow.spec.methods.conditioned import (
    ConditionedBase,
    DpaMethodSpec,
    RicMethodSpec,
    RoundsBase,
)
from paretoflow.spec.methods.conditioned_heads import MahDpoMethodSpec, MeetMethodSpec
from paretoflow.spec.methods.gradients import GradientDpoMethodSpec
from paretoflow.spec.methods.offline import (
    BcoMethodSpec,
    DpoMethodSpec,
    FDpoMethodSpec,
    IpoMethodSpec,
    KtoMethodSpec,
    LipoMethodSpec,
    LnDpoMethodSpec,
    MmDpoMethodSpec,
    ModpoMethodSpec,
    ProMethodSpec,
    RpoMethodSpec,
    SftMethodSpec,
    SimpoMethodSpec,
)
from paretoflow.spec.methods.online import (
    GraoMethodSpec,
    GrpoMethodSpec,
    IpoMdMethodSpec,
    OnlineMethodBase,
    RlooMethodSpec,
)

__all__ = [
    "BcoMethodSpec",
    "CommandMethodSpec",
    "ConditionedBase",
    "DpaMethodSpec",
    "DpoMethodSpec",
    "DualSpec",
    "FDpoMethodSpec",
    "GradientDpoMethodSpec",
    "GraoMethodSpec",
    "GrpoMethodSpec",
    "IpoMdMethodSpec",
    "IpoMethodSpec",
    "KtoMethodSpec",
    "LipoMethodSpec",
    "LnDpoMethodSpec",
    "MahDpoMethodSpec",
    "MeetMethodSpec",
    "MethodBase",
    "MethodSpec",
    "MmDpoMethodSpec",
    "ModpoMethodSpec",
    "OnlineMethodBase",
    "ProMethodSpec",
    "RicMethodSpec",
    "RlooMethodSpec",
    "RoundsBase",
    "RpoMethodSpec",
    "SftMethodSpec",
    "SimpoMethodSpec",
    "units_of",
]

MethodSpec = Annotated[
    CommandMethodSpec
    | DpaMethodSpec
    | DpoMethodSpec
    | MahDpoMethodSpec
    | MeetMethodSpec
    | ProMethodSpec
    | ModpoMethodSpec
    | IpoMethodSpec
    | LnDpoMethodSpec
    | FDpoMethodSpec
    | RpoMethodSpec
    | MmDpoMethodSpec
    | LipoMethodSpec
    | BcoMethodSpec
    | KtoMethodSpec
    | SftMethodSpec
    | SimpoMethodSpec
    | GradientDpoMethodSpec
    | GrpoMethodSpec
    | GraoMethodSpec
    | IpoMdMethodSpec
    | RicMethodSpec
    | RlooMethodSpec,
    Field(discriminator="type"),
]
