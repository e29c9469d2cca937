"""How runs are executed, and when the sweep stops."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from paretoflow.spec.base import Spec
from paretoflow.spec.rungs import RungsSpec


class ResourcesSpec(Spec):
    """What one group takes: one rank, or several that train a run together under DeepSpeed."""

    ranks: int = Field(1, ge=1, le=10_000)
    """Processes that share one run."""
    cpus_per_rank: float = Field(1.0, ge=1e-4, le=10_000)
    """CPU cores of each rank; a rank without a GPU uses as many threads."""
    gpus_per_rank: float = Field(0.0, ge=0, le=1)
    """GPUs of each rank; a fraction shares one, for worker groups of one rank only."""
    zero: Literal[0, 1, 2, 3] = 0
    """What DeepSpeed ZeRO shards across ranks: 0 nothing, 1 optimiser, 2 gradients too, 3 all."""
    offload: bool = False
    """Keep the optimiser (and, at zero 3, the parameters) in CPU memory."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Node labels that every rank asks for, for instance {ray.io/accelerator-type: H100}."""


class LimitsSpec(Spec):
    """When a run or a worker group is given up."""

    run_s: float | None = Field(None, gt=0)
    """Wall-clock seconds after which an attempt is stopped and counts as a failure of its group."""
    silent_s: float = Field(3600.0, gt=0, le=1e12)
    """Seconds without a step, an evaluation or a sign of loading after which a group is hung."""
    heartbeat_s: float = Field(60.0, gt=0)
    """Seconds that a rank may leave a call of the driver unanswered before its group is ended."""
    orphan_s: float = Field(900.0, gt=0)
    """Seconds without a driver after which a group saves its run and gives its resources back."""
    wait_s: float = Field(300.0, gt=0)
    """Seconds that a group may wait for resources before the next in the queue has its turn."""
    losses: int = Field(20, ge=0)
    """Further attempts of a run whose machine was lost or taken back, and as many of one that a
    disk, network, storage or device failed: they cost no `retries`. After the latter its worker
    group rests, 5 s at first and at most five minutes."""


class EngineSpec(Spec):
    """How runs are executed."""

    worker_groups: int = Field(2, ge=1, le=10_000)
    """Runs in training at the same time; each worker group keeps the base loaded."""
    launcher: Literal["core", "train"] = "core"
    """`core`: warm ranks, one run after another. `train`: Ray Train v2, afresh for each run."""
    resources: ResourcesSpec = ResourcesSpec()
    """What one worker group takes."""
    retries: int = Field(1, ge=0)
    """Further attempts after a failure that a retry may mend."""
    limits: LimitsSpec = LimitsSpec()
    """When a run or a worker group is given up."""
    price: float = Field(0.0, ge=0)
    """Cost of one device for one hour, in your currency: that of `stop.cost` and the reports."""

    @model_validator(mode="before")
    @classmethod
    def _stored_name(cls, value: Any) -> Any:
        """Take `workers`, as sweeps of earlier versions have it."""
        if isinstance(value, dict) and "workers" in value and "worker_groups" not in value:
            renamed = {k: v for k, v in value.items() if k != "workers"}
            return renamed | {"worker_groups": value["workers"]}
        return value


class StagnationSpec(Spec):
    """Stop when the front stops growing."""

    runs: int = Field(ge=1)
    """Length of the window, in finished runs."""
    gain: float = Field(0.005, ge=0)
    """Stop when the window raised the hypervolume by less than this share of itself."""


class StopSpec(Spec):
    """When the sweep ends, at whichever comes first, and when single runs are paused."""

    runs: int = Field(12, ge=1)
    """Runs to launch in all, failed ones included."""
    hours: float | None = Field(None, gt=0)
    """Wall-clock hours over all sessions of the sweep."""
    cost: float | None = Field(None, gt=0)
    """Cost, in the currency of `engine.price`."""
    failures: int | None = Field(3, ge=1)
    """Runs in a row that failed for good, all alike, after which nothing more is launched; going on
    makes them again. null: never."""
    stagnation: StagnationSpec | None = None
    """Stop when the front stops growing."""
    gain_below: float | None = Field(None, gt=0, lt=1)
    """Stop when a further run should add less than this share of the hypervolume, for instance
    0.005; not before the opening stage and three more runs have ended."""
    rungs: RungsSpec | None = None
    """Pause runs that others like them have outdone at the same step; unset: all run to the end."""
