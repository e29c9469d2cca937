"""What a rule may look at: the parts of a sweep YAML that are valid by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from paretoflow.spec.data import DataSpec
from paretoflow.spec.engine import EngineSpec, StopSpec
from paretoflow.spec.methods import MethodSpec
from paretoflow.spec.models import ModelSpec
from paretoflow.spec.objectives import ObjectiveSpec
from paretoflow.spec.proposers import ProposerSpec
from paretoflow.spec.search import AxisSpec


@dataclass(frozen=True)
class Draft:
    """The parts of a sweep YAML that are valid by themselves; None or left out where one is not.

    Args:
        objectives: Each valid objective with its index in the list.
    """

    objectives: tuple[tuple[int, ObjectiveSpec], ...] = ()
    data: DataSpec | None = None
    model: ModelSpec | None = None
    method: MethodSpec | None = None
    proposer: ProposerSpec | None = None
    search: Mapping[str, AxisSpec] | None = None
    engine: EngineSpec | None = None
    stop: StopSpec | None = None
    storage: str | None = None
