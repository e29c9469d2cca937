"""How runs are executed, and when the sweep stops."""

from __future__ import annotations

from pydantic import Field

from paretoflow.spec.base import Spec


class ResourcesSpec(Spec):
    """What one worker takes."""

    cpus: float = Field(1.0, gt=0)
    """CPU cores; a CPU worker uses as many threads."""
    gpus: float = Field(0.0, ge=0)
    """GPUs; a fraction shares one."""


class LimitsSpec(Spec):
    """When a run is given up."""

    run_s: float | None = Field(None, gt=0)
    """Wall-clock seconds after which an attempt is stopped and counts as a worker failure."""


class EngineSpec(Spec):
    """How runs are executed."""

    workers: int = Field(2, ge=1)
    """Runs in training at the same time; each worker keeps the base loaded."""
    resources: ResourcesSpec = ResourcesSpec()
    """What one worker takes."""
    retries: int = Field(1, ge=0)
    """Further attempts after a failure that a retry may mend."""
    limits: LimitsSpec = LimitsSpec()
    """When a run is given up."""
    price: float = Field(0.0, ge=0)
    """Cost of one device for one hour, in your currency: that of `stop.cost` and the reports."""


class StagnationSpec(Spec):
    """Stop when the front stops growing."""

    runs: int = Field(ge=1)
    """Length of the window, in finished runs."""
    gain: float = Field(0.005, ge=0)
    """Stop when the window raised the hypervolume by less than this share of itself."""


class StopSpec(Spec):
    """When the sweep ends: at whichever comes first."""

    runs: int = Field(12, ge=1)
    """Runs to launch in all, failed ones included."""
    hours: float | None = Field(None, gt=0)
    """Wall-clock hours over all sessions of the sweep."""
    cost: float | None = Field(None, gt=0)
    """Cost, in the currency of `engine.price`."""
    stagnation: StagnationSpec | None = None
    """Stop when the front stops growing."""
