"""The driver with a thousand simulated worker groups: decisions, its share of a core, idle groups.

The driver is the real one, with its ledger in memory. Virtual time advances by the real time of the
driver, so that slow decisions leave worker groups idle. Runs take 600 virtual seconds on average
(lognormal), one in a hundred crashes.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from paretoflow.core.launch import Launch
from paretoflow.core.protocols import Proposer
from paretoflow.core.values import LaunchKind, Proposal
from paretoflow.engine.live import LiveBoard
from paretoflow.engine.loop import driver as driver_module
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.loop.hooks import Hooks
from paretoflow.engine.loop.planner import Decision, decide
from paretoflow.engine.messages import Report
from paretoflow.engine.simulation.backend import FaultModel, SimulatedBackend, SimulatedCluster
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.ledger.memory import MemoryLedger
from paretoflow.proposers import build
from paretoflow.scoring.calibrate import declared_problem
from paretoflow.spec.sweep import SweepSpec
from tests.benchmarks.results_file import write_table
from tests.sim.specs import circle_spec

GANGS = 1_000
RUN_S = 600.0
CHECKPOINTS = 8


class SphereOracle:
    """Points near a concave front in m objectives, approached over some checkpoints."""

    def __init__(self, m: int) -> None:
        self._m = m

    def launch(
        self, proposal: Proposal, rng: np.random.Generator
    ) -> list[tuple[float, list[float], list[float]]]:
        """Return the checkpoints of one run."""
        goal = np.asarray(proposal.weights) + 0.05
        if proposal.kind is LaunchKind.CONSTRAINED and proposal.thresholds is not None:
            goal = np.maximum(np.nan_to_num(proposal.thresholds, neginf=0.0), 0.01)
        best = 1.0 - (1.0 - goal / np.linalg.norm(goal)) ** 0.8 - rng.exponential(0.02, self._m)
        cost = RUN_S / CHECKPOINTS * float(rng.lognormal(-0.125, 0.5))
        shortfall = 0.3 * 0.4 ** np.arange(CHECKPOINTS)
        return [(cost, (best - s).tolist(), [0.005] * self._m) for s in shortfall]


class IdleCluster(SimulatedCluster):
    """Adds up how long worker groups were idle before each launch."""

    idle_s = 0.0

    def launch(self, launch: Launch) -> None:
        """Note how long the worker group that takes it had waited."""
        self.idle_s += self.time.now_s - self._states[self._idle[0]].since_s
        super().launch(launch)


@dataclass
class Times:
    """Measured times, in seconds.

    Args:
        decisions: `decide` of each tick that launched something, by launch.
        waits: From the report that freed a worker group to the next launch on one.
        driver_s: All that the driver took.
        last_launch_s: Virtual time of the last launch.
    """

    decisions: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    driver_s: float = 0.0
    opening_s: float = 0.0
    last_launch_s: float = 0.0

    def decide(
        self,
        spec: SweepSpec,
        state: SweepState,
        proposer: Proposer,
        free: int,
        risen: Sequence[str] = (),
    ) -> Decision:
        """Stand for the planner, timed; the opening, a thousand launches at once, counts apart."""
        began = time.perf_counter()
        decision = decide(spec, state, proposer, free, risen)
        spent = time.perf_counter() - began
        count = len(decision.relaunches) + len(decision.proposals)
        if state.finished and count:
            self.decisions.append(spent)
        elif count:
            self.opening_s += spent
        return decision


class ChargedBackend(SimulatedBackend):
    """Lets virtual time go on by what the driver takes; the simulation itself costs nothing."""

    def __init__(self, cluster: IdleCluster, times: Times) -> None:
        super().__init__(cluster)
        self._times = times
        self._mark = self._polled = time.perf_counter()

    def _charge(self) -> None:
        spent = time.perf_counter() - self._mark
        self._times.driver_s += spent
        self._cluster.advance(spent)

    def poll(self, timeout_s: float) -> list[Report]:
        """Charge the driver, then wait."""
        self._charge()
        reports = super().poll(timeout_s)
        self._mark = self._polled = time.perf_counter()
        return reports

    def launch(self, launch: Launch) -> None:
        """Charge the driver up to here, then start the attempt."""
        self._times.waits.append(time.perf_counter() - self._polled)
        self._charge()
        self._times.last_launch_s = self.now()
        began = time.perf_counter()
        super().launch(launch)
        self._mark = time.perf_counter()
        self._polled += self._mark - began  # the oracle is no part of the wait


def measure(runs: int, m: int, groups: int) -> tuple[Times, IdleCluster, SweepState]:
    """Run a whole sweep and return what it took."""
    objective = {"type": "regex", "pattern": "x", "direction": "maximize", "range": [0, 1]}
    spec = circle_spec(
        objectives=[{"name": f"o{i}", "ref": -0.1, **objective} for i in range(m)],
        proposer={"type": "auto"},
        stop={"runs": runs},
        engine={"worker_groups": groups, "retries": 5},
    )
    problem = declared_problem(spec.objectives)
    cluster = IdleCluster(
        SphereOracle(m), problem, spec.engine, seed=1, faults=FaultModel(crash=0.01)
    )
    times = Times()
    backend = ChargedBackend(cluster, times)
    driver_module.decide = times.decide  # type: ignore[attr-defined]
    hooks = Hooks(board=LiveBoard(None, 0, 0.0))
    driver = Driver(spec, MemoryLedger(), backend, build(spec.proposer, m=m, runs=runs), hooks)
    try:
        driver.run()
    finally:
        driver_module.decide = decide  # type: ignore[attr-defined]
    return times, cluster, driver.state


def _row(runs: int, m: int, groups: int) -> tuple[str, ...]:
    before = _peak_mib()
    times, cluster, state = measure(runs, m, groups)
    p50, p99 = np.quantile(times.decisions, [0.5, 0.99]) * 1000
    wait50, wait99 = np.quantile(times.waits[groups:], [0.5, 0.99]) * 1000
    busy = 1.0 - cluster.idle_s / (groups * times.last_launch_s)
    return (
        f"{m}",
        f"{groups:,}",
        f"{runs:,}",
        f"{len(state.evaluations):,}",
        f"{p50:.1f} / {p99:.1f} / {1000 * max(times.decisions):.0f}",
        f"{wait50:.1f} / {wait99:.1f} / {1000 * max(times.waits[groups:]):.0f}",
        f"{times.opening_s:.1f}",
        f"{times.driver_s / times.last_launch_s:.2%}",
        f"{busy:.2%}",
        f"{state.front_size}",
        f"{before:.0f} to {_peak_mib():.0f}",
        f"{times.driver_s:.0f}",
    )


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(quick: bool = False) -> None:
    """Measure and write the table."""
    sizes = [(500, 2, 100)] if quick else [(12_500, 2, GANGS), (1_500, 3, GANGS)]
    rows = [_row(*size) for size in sizes]
    write_table(
        "driver_scale",
        "The driver with a thousand worker groups",
        "python -m tests.benchmarks.driver_scale",
        (
            "objectives",
            "gangs",
            "runs",
            "evaluations",
            "decision ms, p50 / p99 / max",
            "freed worker group to launch ms, p50 / p99 / max",
            "opening s",
            "driver's share of a core",
            "worker groups busy",
            "front",
            "peak MiB, before to after",
            "driver s",
        ),
        rows,
        "Default proposer (`auto`: empty_box), ledger in memory, runs of 600 virtual seconds on "
        f"average with {CHECKPOINTS} evaluations each, one attempt in a hundred crashes. The "
        "driver's real time is charged to the virtual clock. A decision is the planner's time in "
        "a tick that launches; the opening, when all groups are free at once, is counted apart. "
        "Groups are busy for this share of their time up to the last launch, the opening included. "
        "Memory holds the in-memory ledger and the simulation too.",
        quick=quick,
    )


if __name__ == "__main__":
    main("--quick" in sys.argv)
