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
    """One sweep: a base, prompts, objectives that pull against each other, a method, a budget."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=255)
    """Name of the sweep; it lives at `<storage>/<name>`."""
    seed: int = Field(0, ge=0)
    """Everything random follows from it."""
    model: ModelSpec = EmbeddedModelSpec()
    """The base model, its adapter and how it generates."""
    data: DataSpec = PydocDataSpec()
    """Where prompts come from."""
    objectives: tuple[ObjectiveSpec, ...] = Field(min_length=2)
    """What is scored: at least two, in the order of every weight vector."""
    method: MethodSpec = DpoMethodSpec()
    """How a run trains."""
    proposer: ProposerSpec = AutoProposerSpec()
    """Which launch comes next."""
    search: dict[str, AxisSpec] = Field(default_factory=dict)
    """What launches choose beside their weights: numbers of the method, `rank`, `rank.<module>`,
    `temperature` and `top_p` of the answers; each has a range or choices."""
    engine: EngineSpec = EngineSpec()
    """How runs are executed."""
    stop: StopSpec = StopSpec()
    """When the sweep ends."""
    tracking: tuple[TrackerSpec, ...] = ()
    """Experiment trackers that are told of the sweep beside its own ledger; none unless named."""
    storage: str = Field("sweeps", min_length=1)
    """Root folder or URI; `--storage` overrides it."""
