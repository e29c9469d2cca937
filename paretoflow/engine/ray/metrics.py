"""A sweep's figures for Prometheus, through Ray's metrics API.

Ray serves them on every node's metrics port with `ray_` in front: `ray_paretoflow_runs` and so on.
Figures from the ledger are gauges, because they do not start again at zero with the next driver.
The time spent on decisions is a histogram. No decision depends on the figures.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence

from ray.util.metrics import Gauge, Histogram

from paretoflow.core.status import Boundary, RunStatus
from paretoflow.engine.live import GroupPhase, GroupState
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.ledger.tables import FrontRecord

EVERY_S = 2.0
"""Shortest time between two updates, in seconds: the state may change a hundred times a second."""
_BOUNDARIES_S = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]

_GAUGES = {
    "runs": ("Runs by status.", ("status",)),
    "evaluations": ("Complete evaluations.", ()),
    "failures": ("Runs whose last failure came from this boundary.", ("boundary",)),
    "hypervolume": ("Hypervolume of the front.", ()),
    "hypervolume_low": ("Lower end of the hypervolume's 95% interval.", ()),
    "hypervolume_high": ("Upper end of the hypervolume's 95% interval.", ()),
    "front_size": ("Points on the front.", ()),
    "worker_groups": ("Worker groups by what they do.", ("phase",)),
    "utilisation": ("Share of the worker groups that are busy now, 0 to 1.", ()),
    "queue": ("Worker groups that wait for resources.", ()),
    "device_seconds": ("Seconds times devices spent.", ()),
    "tokens": ("Tokens trained on or generated.", ()),
    "cost": ("Cost so far, judges included, in the currency of engine.price.", ()),
}
"""Description and further labels of each gauge; all have the label `sweep`."""


class SweepMetrics:
    """The figures of one sweep; create it once Ray is initialised.

    Args:
        sweep: Name of the sweep, the label of every figure.
        price: Cost of one device for one hour.
    """

    def __init__(self, sweep: str, price: float = 0.0) -> None:
        self._price = price
        self._updated_s = float("-inf")
        self._gauges = {
            name: Gauge(f"paretoflow_{name}", about, ("sweep", *labels))
            for name, (about, labels) in _GAUGES.items()
        }
        self._decisions = Histogram(
            "paretoflow_decision_seconds",
            "Time from a free worker group to the commit of its next launch.",
            _BOUNDARIES_S,
            ("sweep",),
        )
        for metric in (*self._gauges.values(), self._decisions):
            metric.set_default_tags({"sweep": sweep})

    @property
    def due(self) -> bool:
        """Check whether the last update is at least `EVERY_S` old."""
        return time.monotonic() - self._updated_s >= EVERY_S

    def update(
        self, state: SweepState, groups: Sequence[GroupState] = (), *, now: bool = False
    ) -> None:
        """Update the figures of the sweep and its worker groups, at most every `EVERY_S` seconds.

        Args:
            state: The driver's state of the sweep.
            groups: Current states of its worker groups.
            now: Whether to update regardless of the last time, for the end of a sweep.
        """
        if not (now or self.due):
            return
        self._updated_s = time.monotonic()
        self._set("evaluations", len(state.evaluations))
        self._set("hypervolume", state.hypervolume)
        self._set("front_size", state.front_size)
        self._set("device_seconds", state.cost.device_s)
        self._set("tokens", state.cost.tokens)
        self._set("cost", state.cost.device_s / 3600 * self._price + state.judged)
        self._each("runs", "status", run_counts(state))
        self._each("failures", "boundary", failure_counts(state))
        self._groups_now(groups)

    def _groups_now(self, groups: Sequence[GroupState]) -> None:
        phases = Counter(group.phase for group in groups)
        self._each("worker_groups", "phase", {phase.value: phases[phase] for phase in GroupPhase})
        self._set("utilisation", phases[GroupPhase.BUSY] / len(groups) if groups else 0.0)
        self._set("queue", phases[GroupPhase.WAITING])

    def front(self, record: FrontRecord) -> None:
        """Update the interval of an accepted front."""
        self._set("hypervolume_low", record.hypervolume_low)
        self._set("hypervolume_high", record.hypervolume_high)

    def decided(self, seconds: float) -> None:
        """Record the duration of one decision."""
        self._decisions.observe(seconds)

    def _set(self, name: str, value: float) -> None:
        self._gauges[name].set(float(value))

    def _each(self, name: str, label: str, values: Mapping[str, int]) -> None:
        for tag, value in values.items():
            self._gauges[name].set(float(value), {label: tag})


def run_counts(state: SweepState) -> dict[str, int]:
    """Return the number of runs in every status; reads only runs that have not ended."""
    counts = Counter(run.status for run in state.open_runs())
    counts[RunStatus.FINISHED], counts[RunStatus.FAILED] = state.finished, state.failed
    counts[RunStatus.PAUSED] = len(state.paused)
    return {status.value: counts[status] for status in RunStatus}


def failure_counts(state: SweepState) -> dict[str, int]:
    """Return the number of runs by the boundary of their last failure, for every boundary."""
    counts = Counter(state.runs[run_id].boundary for run_id in state.failures.by_run)
    return {boundary.value: counts[boundary] for boundary in Boundary}
