"""Savings by pausing runs at rungs: device time to the same hypervolume, in simulated sweeps.

`python -m tests.benchmarks.rungs`. The measure is the true hypervolume of a sweep's claimed front.
A sweep without pauses has `RUNS` runs. The others may launch three times as many; their result is
the time at which they reach the hypervolume of the first.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np

from paretoflow.core.values import FloatArray
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.loop.pausing import Rungs
from paretoflow.engine.simulation.backend import SimulatedBackend, SimulatedCluster
from paretoflow.front.archive import Archive
from paretoflow.front.hypervolume import hypervolume
from paretoflow.ledger.memory import MemoryLedger, MemoryStore
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.proposers import build
from paretoflow.scoring.calibrate import declared_problem
from paretoflow.spec.sweep import SweepSpec
from tests.benchmarks.proposers.problems import Known, problems_named, recorded_problems, target_of
from tests.benchmarks.results_file import write_table
from tests.benchmarks.rungs.oracles import (
    NOISE,
    CheckpointOracle,
    OptimiserOracle,
    RecordedOracle,
    UnevenOracle,
)
from tests.benchmarks.rungs.peers import REDUCTION, Promotion, Stopping
from tests.histories import circle, sphere, zdt1
from tests.sim.specs import circle_spec

RUNS = 32
SEEDS = 5
WORKERS = 4
STEPS = 9
REF = -0.1
SHARES = (0.9, 0.95, 0.99)
"""Of the hypervolume that the whole sweep reached."""
PROPOSERS = ("dirichlet", "empty_box")
OPTIMISED = ("zdt1", "zdt3", "vehicle_safety", "car_side_impact")


@dataclass(frozen=True)
class Setting:
    """The setting of a sweep.

    Args:
        front: Name of the front.
        runs: What runs are like, in words.
        m: Number of objectives.
        steps: Checkpoints of a run.
        oracle: Makes a fresh one.
    """

    front: str
    runs: str
    m: int
    steps: int
    oracle: Callable[[], CheckpointOracle]


ARMS: dict[str, Callable[[SweepSpec], Rungs]] = {
    "MO-ASHA, promotion": Promotion,
    "MO-ASHA, stopping": Stopping,
    "rungs": Rungs,
}


def drawn() -> Iterator[Setting]:
    """Yield fronts with runs that differ by chance."""
    fronts = {"zdt1, convex": zdt1(), "circle, concave": circle(), "sphere, 3": sphere(600)}
    kinds = ((0.0, (2.0, 4.0)), (1 / 3, (1.0, 6.0)))
    for (name, front), (bad, speeds) in product(fronts.items(), kinds):
        words = f"drawn: {bad:.0%} bad, speeds {speeds[0]:g} to {speeds[1]:g}"
        oracle = partial(UnevenOracle, front, bad, speeds, STEPS)
        yield Setting(name, words, front.shape[1], STEPS, oracle)


def optimised() -> Iterator[Setting]:
    """Yield problems with an optimiser that stops early."""
    for name in OPTIMISED:
        (problem,) = problems_named([name])
        assert problem.trainable is not None
        target = target_of(problem)
        oracle = partial(OptimiserOracle, problem.trainable(), target, STEPS)
        yield Setting(name, "optimiser", target.m, STEPS, oracle)


def recorded() -> Iterator[Setting]:
    """Yield real sweeps, replayed."""
    for problem in recorded_problems():
        steps, target = _checkpoints(problem), target_of(problem)
        assert problem.recorded is not None
        oracle = partial(RecordedOracle, problem.recorded, target)
        yield Setting(problem.name, f"recorded, {steps} checkpoints", target.m, steps, oracle)


def _checkpoints(problem: Known) -> int:
    assert problem.recorded is not None
    runs = json.loads(problem.recorded.read_text(encoding="utf-8"))["runs"]
    return len(runs[0]["gains"])


def spec_of(setting: Setting, proposer: str, runs: int, seed: int, *, rungs: bool) -> SweepSpec:
    """Return a sweep of maximised objectives in [0, 1]."""
    plain = circle_spec().model_dump(mode="json")["objectives"][0]
    halving = {"reduction": REDUCTION, "first": 1} if rungs else None
    return circle_spec(
        seed=seed,
        objectives=[{**plain, "name": f"o{i}"} for i in range(setting.m)],
        proposer={"type": proposer},
        method={"type": "dpo", "steps": setting.steps},
        stop={"runs": runs, "rungs": halving},
        engine={"worker_groups": WORKERS},
    )


def sweep(
    spec: SweepSpec, oracle: CheckpointOracle, arm: Callable[[SweepSpec], Rungs]
) -> list[Event]:
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


def figures(setting: Setting, proposer: str, seed: int, runs: int) -> dict[str, tuple[float, ...]]:
    """Return for each arm its time to each share of the whole sweep's hypervolume, and the rest.

    All in shares of the whole sweep's: the times, the hypervolume at the same cost, and the cost of
    the last run's end.
    """

    def line_of(name: str) -> FloatArray:
        oracle, rungs = setting.oracle(), bool(name)
        spec = spec_of(setting, proposer, runs * (3 if rungs else 1), seed, rungs=rungs)
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


def main(quick: bool = False) -> None:
    """Run all sweeps and write the table."""
    began = time.perf_counter()
    every = list(product([*drawn(), *optimised(), *recorded()], PROPOSERS))
    rows: list[list[object]] = []
    for setting, proposer in every[:: 9 if quick else 1]:
        seeds, runs = (1, 12) if quick else (SEEDS, RUNS)
        told = [figures(setting, proposer, seed, runs) for seed in range(seeds)]
        for arm in ARMS:
            middle = np.median(np.array([each[arm] for each in told]), axis=0)
            shown = [f"{v:.2f}" if np.isfinite(v) else "never" for v in middle]
            rows.append([setting.front, setting.runs, proposer, arm, *shown])
        print(f"{setting.front}, {setting.runs}, {proposer}: {time.perf_counter() - began:.0f} s")
    write_table(
        "rungs",
        "Pausing runs at rungs: device time to the hypervolume of a sweep without",
        "python -m tests.benchmarks.rungs",
        [
            *("front", "runs", "proposer", "rule"),
            *(f"time to {s:.0%}" for s in SHARES),
            *("hypervolume at its cost", "cost of three times the runs"),
        ],
        rows,
        NOTES,
        quick=quick,
    )


NOTES = (
    f"Medians over {SEEDS} seeds, in shares of what a sweep of {RUNS} whole runs took and reached. "
    f"{WORKERS} workers, noise {NOISE}, rungs from the first checkpoint on, one in {REDUCTION} "
    f"goes on. Drawn and optimised runs have {STEPS} checkpoints; a bad one ends at 0.4 to 0.8 of "
    "what its launch asks for, any other at 0.9 to 1. Recorded: real trainings of language models, "
    "the nearest weights answer. MO-ASHA as its authors run it halts each run at each rung until "
    "it is among the first of those there, one in three, rounded down; the same order also stops "
    "runs for good. Both draw the first point of each epsilon-net."
)

if __name__ == "__main__":
    main("--quick" in sys.argv)
