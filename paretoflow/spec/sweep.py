"""The root of a sweep YAML."""

from __future__ import annotations

from pydantic import Field

from paretoflow.spec.base import Spec
from paretoflow.spec.data import DataSpec, PydocDataSpec
from paretoflow.spec.engine import EngineSpec, StopSpec
from paretoflow.spec.methods import DpoMethodSpec, MethodSpec
from paretoflow.spec.models import EmbeddedModelSpec, ModelSpec
from paretoflow.spec.objectives import ObjectiveSpec
from paretoflow.spec.proposers import AutoProposerSpec, ProposerSpec
from paretoflow.spec.search import AxisSpec
from paretoflow.spec.tracking import TrackerSpec


class SweepSpec(Spec):
    """One sweep: a base, prompts, conflicting objectives, a method and a budget."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=255)
    """Name of the sweep; its folder is `<storage>/<name>`."""
    seed: int = Field(0, ge=0)
    """Seed of all random numbers."""
    model: ModelSpec = EmbeddedModelSpec()
    """The base model, its adapter, and the settings of generation."""
    data: DataSpec = PydocDataSpec()
    """Source of the prompts."""
    objectives: tuple[ObjectiveSpec, ...] = Field(min_length=2)
    """The objectives: at least two, in the order of every weight vector."""
    method: MethodSpec = DpoMethodSpec()
    """Training method of the runs."""
    proposer: ProposerSpec = AutoProposerSpec()
    """Proposer, which chooses the next launch."""
    search: dict[str, AxisSpec] = Field(default_factory=dict)
    """Settings that launches choose beside their weights: numbers of the method, `rank`,
    `rank.<module>`, `temperature` and `top_p` of the answers; each has a range or choices."""
    engine: EngineSpec = EngineSpec()
    """Execution of runs."""
    stop: StopSpec = StopSpec()
    """Limits of the sweep."""
    tracking: tuple[TrackerSpec, ...] = ()
    """Experiment trackers that receive the sweep's progress, beside its own ledger; none by
    default."""
    storage: str = Field("sweeps", min_length=1)
    """Root folder or URI; `--storage` overrides it."""
