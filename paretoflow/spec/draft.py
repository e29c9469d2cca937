"""The input of rules: the parts of a sweep YAML that are valid by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from paretoflow.spec.data import DataSpec
from paretoflow.spec.engine import EngineSpec, StopSpec
from paretoflow.spec.methods import MethodSpec
from paretoflow.spec.models import ModelSpec
from paretoflow.spec.objectives import ObjectiveSpec
from paretoflow.spec.positions import Fault
from paretoflow.spec.proposers import ProposerSpec
from paretoflow.spec.search import AxisSpec
from paretoflow.spec.sweep import SweepSpec

SECTIONS = ("data", "model", "method", "proposer", "search", "engine", "stop", "storage")
"""Keys of a sweep YAML, beside `objectives`, that rules read."""


@dataclass(frozen=True)
class Draft:
    """The parts of a sweep YAML that are valid by themselves; invalid ones are None or missing.

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

    @classmethod
    def of(cls, spec: SweepSpec) -> Draft:
        """Return a draft with every part of a spec."""
        parts = {key: getattr(spec, key) for key in SECTIONS}
        return cls(tuple(enumerate(spec.objectives)), **parts)


Rule = Callable[[Draft], Iterator[Fault]]
"""Yields the faults of a draft; ignores parts that are missing."""
