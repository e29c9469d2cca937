"""What pausing runs at rungs saves: device time to the same hypervolume, in simulated sweeps.

`python -m tests.benchmarks.rungs`; about ten minutes. A run goes from the base towards the point
that its launch asks for, or to one short of it, at a speed of its own, and shows where it is after
each ninth of its way; evaluation has noise. Judged is the true hypervolume of what the sweep claims
to be its front. A sweep whose runs all go to their end has `RUNS` of them; the others may launch
three times as many, and it counts how soon they reach what it reached.

Peers: the rule of MO-ASHA as its authors run it (each run halts at each rung until it is among the
first of those there, one in three, rounded down), and the same order for stopping runs for good.
Both draw the first point of each epsilon-net.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from paretoflow.core.ids import rng_of
from paretoflow.core.values import FloatArray, IntArray, LaunchKind, Proposal
from paretoflow.engine.driver import Driver
from paretoflow.engine.rungs import Rungs
from paretoflow.engine.simulated import SimulatedBackend, SimulatedCluster
from paretoflow.engine.state import SweepState
from paretoflow.front.archive import Archive
from paretoflow.front.dominance import ranks
from paretoflow.front.hypervolume import hypervolume
from paretoflow.ledger.memory import MemoryLedger, MemoryStore
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.proposers import build
from paretoflow.scoring.calibrate import declared_problem
from paretoflow.spec.sweep import SweepSpec
from tests.benchmarks.results_file import write_table
from tests.histories import circle, sphere, zdt1
from tests.sim.specs import circle_spec

RUNS = 32
SEEDS = 10
WORKERS = 4
STEPS = 9
REDUCTION = 3
NOISE = 0.02
REF = -0.1
SHARES = (0.9, 0.95, 0.99)
"""Of the hypervolume that the whole sweep reached."""


@dataclass(frozen=True)
class Setting:
    """What a sweep is run on; `bad` and `speeds` as in `UnevenOracle`."""

    name: str
    front: FloatArray
    proposer: str
    bad: float
    speeds: tuple[float, float]

    @property
    def words(self) -> tuple[str, ...]:
        """Return the setting as cells of a table."""
        slow, fast = self.speeds
        return self.name, self.proposer, f"{self.bad:.0%}", f"{slow:g} to {fast:g}"


@dataclass
class UnevenOracle:
    """Runs that differ in where they end, and in how soon they come near it.

    Args:
        front: Attainable points, shape (k, m).
        bad: Share of runs that end well short of the front.
        speeds: Slowest and fastest: what is left of the way falls by e so many times in a run.

    Attributes:
        truth: True gains of each score vector that was told.
    """

    front: FloatArray
    bad: float
    speeds: tuple[float, float]
    truth: dict[tuple[float, ...], FloatArray] = field(default_factory=dict)

    def launch(
        self, proposal: Proposal, rng: np.random.Generator
    ) -> list[tuple[float, list[float], list[float]]]:
        """Return nine checkpoints, a second or so apart."""
        own = rng_of("rungs", proposal.seed)
        short = own.uniform(0.4, 0.8) if own.random() < self.bad else own.uniform(0.9, 1.0)
        speed, pace = own.uniform(*self.speeds), float(own.lognormal(0.0, 0.3))
        way = (1 - np.exp(-speed * np.arange(1, STEPS + 1) / STEPS)) / (1 - np.exp(-speed))
        told = []
        for share in way:
            gains = short * share * self.front[self._row(proposal)]
            scores = tuple(float(v) for v in gains + rng.normal(0.0, NOISE, len(gains)))
            self.truth[scores] = gains
            told.append((pace, list(scores), [NOISE] * len(gains)))
        return told

    def _row(self, proposal: Proposal) -> int:
        if proposal.kind is LaunchKind.CONSTRAINED and proposal.target is not None:
            bounds = np.asarray(proposal.thresholds, dtype=np.float64)
            bounds[proposal.target] = -np.inf
            missed = np.maximum(bounds - self.front, 0).sum(axis=1).round(9)
            return int(np.lexsort((-self.front[:, proposal.target], missed))[0])
        return int((self.front @ proposal.weights.array).argmax())


def drawn_order(gains: FloatArray, rng: np.random.Generator) -> IntArray:
    """Return the published order: by rank, and inside a front an epsilon-net from a drawn point."""
    rank, order = ranks(gains), []
    for level in range(int(rank.max()) + 1):
        left = rng.permutation(np.flatnonzero(rank == level))
        nearest = np.full(len(left), np.inf)
        for _ in left:
            chosen = int(nearest.argmax())
            order.append(int(left[chosen]))
            gaps = np.linalg.norm(gains[left] - gains[left[chosen]], axis=1)
            nearest = np.minimum(nearest, gaps)
            nearest[chosen] = -np.inf
    return np.array(order)


class Promotion(Rungs):
    """MO-ASHA as its authors run it."""

    def __init__(self, spec: SweepSpec) -> None:
        super().__init__(spec)
        self._tops: dict[int, tuple[int, Sequence[int]]] = {}

    def _verdict(self, state: SweepState, run_id: str, row: int) -> str:
        return "it waits for its promotion"

    def _all_risen(self, state: SweepState) -> tuple[str, ...]:
        first: set[int] = set()
        for level in range(len(self._steps)):
            rows = self._reached(level)
            if self._tops.get(level, (0, ()))[0] != len(rows):
                order = drawn_order(state.history().gains[rows], rng_of("promotion", rows[-1]))
                self._tops[level] = (len(rows), [rows[i] for i in order[: len(rows) // REDUCTION]])
            first.update(self._tops.get(level, (0, ()))[1])
        risen = [r for r in state.runs if r in state.paused and self._judged_at[r] in first]
        return tuple(sorted(risen, key=lambda r: -self._levels[r]))

    def _reached(self, level: int) -> list[int]:
        return sorted(self._members[level, True] + self._members[level, False])


class Stopping(Promotion):
    """The same order, for stopping runs for good."""

    def _verdict(self, state: SweepState, run_id: str, row: int) -> str:
        rows = [r for r in self._reached(self._levels[run_id] - 1) if r <= row]
        order = drawn_order(state.history().gains[rows], rng_of("stopping", row)).tolist()
        late = order.index(rows.index(row)) / len(rows) > 1 / REDUCTION
        return "others are better" if late else ""

    def _all_risen(self, state: SweepState) -> tuple[str, ...]:
        return ()


ARMS: dict[str, Callable[[SweepSpec], Rungs]] = {
    "MO-ASHA, promotion": Promotion,
    "MO-ASHA, stopping": Stopping,
    "rungs": Rungs,
}


def spec_of(m: int, proposer: str, runs: int, seed: int, *, rungs: bool) -> SweepSpec:
    """Return a sweep of maximised objectives in [0, 1]."""
    plain = circle_spec().model_dump(mode="json")["objectives"][0]
    halving = {"reduction": REDUCTION, "first": 1} if rungs else None
    return circle_spec(
        seed=seed,
        objectives=[{**plain, "name": f"o{i}"} for i in range(m)],
        proposer={"type": proposer},
        method={"type": "dpo", "steps": STEPS},
        stop={"runs": runs, "rungs": halving},
        engine={"workers": WORKERS},
    )


def sweep(spec: SweepSpec, oracle: UnevenOracle, arm: Callable[[SweepSpec], Rungs]) -> list[Event]:
    """Run a sweep; return its ledger."""
    store = MemoryStore()
    problem = declared_problem(spec.objectives)
    cluster = SimulatedCluster(oracle, problem, spec.engine, seed=spec.seed)
    proposer = build(spec.proposer, m=problem.m, runs=spec.stop.runs)
    driver = Driver(spec, MemoryLedger(store), SimulatedBackend(cluster), proposer)
    driver._rungs = arm(spec)
    driver.run()
    return store.events


def curve(events: Sequence[Event], truth: dict[tuple[float, ...], FloatArray]) -> FloatArray:
    """Return device seconds and the claimed front's true hypervolume, shape (n, 2)."""
    told: list[FloatArray] = []
    points, spent, claimed, archive = [], 0.0, 0.0, None
    for event in events:
        spent += event.device_s
        if event.kind is EventKind.EVALUATED:
            archive = archive or Archive(len(event.scores))
            told.append(truth[event.scores])
            if archive.add(np.array(event.scores), len(told) - 1):
                true = np.array([told[i] for i in archive.indices])
                claimed = hypervolume(true, np.full(true.shape[1], REF))
        points.append((spent, claimed))
    return np.array(points)


def seconds_to(line: FloatArray, volume: float) -> float:
    """Return the device seconds at which a curve reaches a hypervolume; infinity if it does not."""
    there = np.flatnonzero(line[:, 1] >= volume)
    return float(line[there[0], 0]) if len(there) else np.inf


def figures(setting: Setting, seed: int, runs: int) -> dict[str, tuple[float, ...]]:
    """Return for each arm its time to each share of the whole sweep's hypervolume, and the rest.

    All in shares of the whole sweep's: the times, the hypervolume at the same cost, and the cost of
    the last run's end.
    """

    def line_of(name: str) -> FloatArray:
        oracle = UnevenOracle(setting.front, setting.bad, setting.speeds)
        m, rungs = setting.front.shape[1], bool(name)
        spec = spec_of(m, setting.proposer, runs * (3 if rungs else 1), seed, rungs=rungs)
        return curve(sweep(spec, oracle, ARMS.get(name, Rungs)), oracle.truth)

    whole = line_of("")
    spent, volume = whole[-1]
    base = [seconds_to(whole, share * volume) for share in SHARES]
    found = {}
    for name in ARMS:
        line = line_of(name)
        times = [seconds_to(line, s * volume) / b for s, b in zip(SHARES, base, strict=True)]
        at_cost = line[line[:, 0] <= spent, 1][-1] / volume
        found[name] = (*times, at_cost, line[-1, 0] / spent)
    return found


def settings() -> Iterator[Setting]:
    """Yield fronts, proposers and kinds of runs."""
    fronts = {"zdt1, convex": zdt1(), "circle, concave": circle(), "sphere, 3": sphere(600)}
    kinds = ((0.0, (2.0, 4.0)), (1 / 3, (2.0, 4.0)), (1 / 3, (1.0, 6.0)))
    for (name, front), proposer, kind in product(fronts.items(), ("dirichlet", "empty_box"), kinds):
        yield Setting(name, front, proposer, *kind)


def main(quick: bool = False) -> None:
    """Run all sweeps and write the table."""
    began = time.perf_counter()
    rows: list[list[object]] = []
    for setting in list(settings())[:: 7 if quick else 1]:
        told = [figures(setting, s, 12 if quick else RUNS) for s in range(1 if quick else SEEDS)]
        for arm in ARMS:
            middle = np.median(np.array([each[arm] for each in told]), axis=0)
            shown = [f"{v:.2f}" if np.isfinite(v) else "never" for v in middle]
            rows.append([*setting.words, arm, *shown])
    write_table(
        "rungs",
        "Pausing runs at rungs: device time to the hypervolume of a sweep without",
        "python -m tests.benchmarks.rungs",
        [
            *("front", "proposer", "bad runs", "speeds", "rule"),
            *(f"time to {s:.0%}" for s in SHARES),
            *("hypervolume at its cost", "cost of three times the runs"),
        ],
        rows,
        f"Medians over {SEEDS} seeds, in shares of what a sweep of {RUNS} whole runs took and "
        f"reached. {WORKERS} workers, noise {NOISE}, rungs at 1 and 3 of {STEPS} checkpoints, one "
        f"in {REDUCTION} goes on. A bad run ends at 0.4 to 0.8 of what its launch asks for, any "
        "other at 0.9 to 1.",
        quick=quick,
    )
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main("--quick" in sys.argv)
