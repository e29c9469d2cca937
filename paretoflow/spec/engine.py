"""Execution of runs, and limits of the sweep."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from paretoflow.spec.base import Spec
from paretoflow.spec.rungs import RungsSpec


class ResourcesSpec(Spec):
    """Resources of one worker group: one rank, or several that train a run under DeepSpeed."""

    ranks: int = Field(1, ge=1, le=10_000)
    """Processes (ranks) that train one run together."""
    cpus_per_rank: float = Field(1.0, ge=1e-4, le=10_000)
    """CPU cores of each rank; a rank without a GPU uses as many threads."""
    gpus_per_rank: float = Field(0.0, ge=0, le=1)
    """GPUs of each rank; a fraction shares one, for worker groups of one rank only."""
    gpu_memory_gb: float | None = Field(None, gt=0)
    """Memory of one GPU, in GB of 10^9 bytes, for instance 80: what cannot fit is refused."""
    zero: Literal[0, 1, 2, 3] = 0
    """Stage of DeepSpeed ZeRO; it shards 0 nothing, 1 optimiser, 2 gradients too, 3 all."""
    offload: bool = False
    """Keep the optimiser (and, at zero 3, the parameters) in CPU memory."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Node labels that every rank requires, for instance {ray.io/accelerator-type: H100}."""


class LimitsSpec(Spec):
    """Time limits of runs and worker groups, and tolerated losses."""

    run_s: float | None = Field(None, gt=0)
    """Wall-clock seconds after which an attempt is stopped and counts as a failure of its group."""
    silent_s: float = Field(3600.0, gt=0, le=1e12)
    """Seconds without a step, an evaluation or loading progress after which a worker group is
    considered hung."""
    heartbeat_s: float = Field(60.0, gt=0)
    """Seconds that a rank may leave a call of the driver unanswered before its worker group is
    ended."""
    orphan_s: float = Field(900.0, gt=0)
    """Seconds without a driver after which a worker group saves its run and releases its
    resources."""
    wait_s: float = Field(300.0, gt=0)
    """Seconds that a worker group may wait for resources before the next in the queue is tried."""
    losses: int = Field(20, ge=0)
    """Further attempts of a run after its machine was lost or preempted, and as many after a disk,
    network, storage or device failure; they do not count as `retries`. After the latter its worker
    group pauses, 5 s at first and at most five minutes."""


class EngineSpec(Spec):
    """How runs are executed."""

    worker_groups: int = Field(2, ge=1, le=10_000)
    """Number of worker groups, each of which trains one run at a time and keeps the base loaded."""
    launcher: Literal["core", "train"] = "core"
    """`core`: warm ranks, one run after another. `train`: Ray Train v2, started again for each
    run."""
    resources: ResourcesSpec = ResourcesSpec()
    """Resources of one worker group."""
    retries: int = Field(1, ge=0)
    """Further attempts after a failure that a retry may fix."""
    limits: LimitsSpec = LimitsSpec()
    """Time limits of runs and worker groups, and tolerated losses."""
    price: float = Field(0.0, ge=0)
    """Cost of one device for one hour, in your currency; used by `stop.cost` and reports."""

    @model_validator(mode="before")
    @classmethod
    def _stored_name(cls, value: Any) -> Any:
        """Accept `workers`, the name in sweeps of earlier versions."""
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
    """Limits of the sweep, whichever comes first, and the pausing of single runs."""

    runs: int = Field(12, ge=1)
    """Number of runs to launch, including failed ones."""
    hours: float | None = Field(None, gt=0)
    """Maximum wall-clock hours over all sessions of the sweep."""
    cost: float | None = Field(None, gt=0)
    """Maximum cost, in the currency of `engine.price`."""
    failures: int | None = Field(3, ge=1)
    """Consecutive runs that failed finally with the same error, after which nothing more is
    launched; resuming repeats them. null: no limit."""
    stagnation: StagnationSpec | None = None
    """Stop when the front stops growing."""
    gain_below: float | None = Field(None, gt=0, lt=1)
    """Stop when a further run should add less than this share of the hypervolume, for instance
    0.005; not before the opening stage and three more runs have ended."""
    rungs: RungsSpec | None = None
    """Pause runs that similar runs have surpassed at the same step. Unset: all run to the end."""
