"""Time to the first launch of a new driver: 10,000 evaluations in a Delta ledger, simulated groups.

The sweep is as a killed driver leaves it: some runs are open, and some of these have finished
meanwhile, by their fragments. Each measurement is its own process, which runs the code of
`paretoflow run` up to its first launch and then dies as if by kill -9, so that the next one takes
over from it in turn.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from paretoflow.core.ids import rng_of
from paretoflow.core.launch import Launch
from paretoflow.engine.session import run as session
from paretoflow.engine.session.folder import enter_folder, sweep_root
from paretoflow.engine.simulation.backend import SimulatedBackend, SimulatedCluster
from paretoflow.ledger import open_ledger
from paretoflow.ledger.fragments import write_fragment
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.scoring.calibrate import declared_problem
from paretoflow.spec.sweep import SweepSpec
from tests.benchmarks.driver_overhead import past
from tests.benchmarks.results_file import RESULTS, write_table
from tests.sim.oracles import CircleOracle
from tests.sim.specs import circle_spec

EVALUATIONS = 10_000
PROMPTS = 64
OPEN, FINISHED_MEANWHILE = 32, 16
ROWS_PER_COMMIT = 40
TAKEOVERS = 7
CHECKOUT = RESULTS.parents[2]


def spec_of(storage: str, evaluations: int) -> SweepSpec:
    """Return the sweep that is taken over."""
    return circle_spec(
        storage=storage,
        proposer={"type": "auto"},
        stop={"runs": 2 * evaluations},
        engine={"worker_groups": OPEN},
    )


class OneLaunch(SimulatedBackend):
    """Stands for the one on Ray, and ends the process at the first launch."""

    def __init__(self, spec: SweepSpec, *rest: object, **more: object) -> None:
        problem = declared_problem(spec.objectives)
        super().__init__(SimulatedCluster(CircleOracle(), problem, spec.engine, seed=spec.seed))

    def launch(self, launch: Launch) -> None:
        """Tell when it came, and die."""
        sys.stdout.write(f"launch {time.time()}\n")
        sys.stdout.flush()
        os._exit(0)


def take_over(storage: str, evaluations: int) -> None:
    """Run a driver up to its first launch; tell when it began and when it had the ledger."""

    def timed(*args: Any, **kwargs: Any) -> Any:
        sys.stdout.write(f"opening {time.time()}\n")
        ledger = open_ledger(*args, **kwargs)
        sys.stdout.write(f"opened {time.time()}\n")
        return ledger

    session.open_ledger = timed  # type: ignore[attr-defined]
    session._ray_backend = lambda: OneLaunch
    session.run_sweep(spec_of(storage, evaluations))


def prepare(storage: str, evaluations: int) -> int:
    """Write a sweep as a killed driver leaves it; return the number of commits."""
    spec = spec_of(storage, evaluations)
    root = sweep_root(spec)
    enter_folder(spec, root)
    ledger = open_ledger(root, writer=True, create=True, fsync=False)
    rows = list(_left(spec, evaluations))
    told = {e.run_id: e for e in rows if e.kind is EventKind.FINISHED}
    for row in rows:
        if row.kind is EventKind.EVALUATED:
            write_fragment(root, [row, told[row.run_id]])
    meanwhile = sorted(told)[-FINISHED_MEANWHILE:]
    ends = (EventKind.EVALUATED, EventKind.FINISHED)
    known = [r for r in rows if r.kind not in ends or r.run_id not in meanwhile]
    for first in range(0, len(known), ROWS_PER_COMMIT):
        ledger.append(known[first : first + ROWS_PER_COMMIT])
    return -(-len(known) // ROWS_PER_COMMIT)


def _left(spec: SweepSpec, evaluations: int) -> Iterator[Event]:
    """Yield the rows of a sweep that was at work, with per-prompt scores, and its last starts."""
    rng = rng_of("prompts")
    rows = past(evaluations + OPEN - FINISHED_MEANWHILE, spec)
    unfinished = {r.run_id for r in rows[-4 * (OPEN - FINISHED_MEANWHILE) :]}
    for row in rows:
        if row.kind is EventKind.EVALUATED and row.run_id not in unfinished:
            noise = rng.normal(0.0, 0.1, (len(row.scores), PROMPTS))
            scores = tuple(
                tuple(float(v) for v in s + n) for s, n in zip(row.scores, noise, strict=True)
            )
            yield replace(row, prompt_scores=scores, n=PROMPTS)
        elif row.run_id not in unfinished or row.kind in (EventKind.PROPOSED, EventKind.STARTED):
            yield row


def measure(storage: str, evaluations: int) -> dict[str, float]:
    """Start a driver; return when what happened, in seconds after the start of its process."""
    code = f"from tests.benchmarks.takeover import take_over; take_over({storage!r}, {evaluations})"
    began = time.time()
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, check=True, capture_output=True, text=True
    ).stdout
    return {word: float(at) - began for word, at in (line.split() for line in told.splitlines())}


def main(quick: bool = False) -> None:
    """Measure and write the table."""
    evaluations = 500 if quick else EVALUATIONS
    with tempfile.TemporaryDirectory() as storage:
        began = time.perf_counter()
        commits = prepare(storage, evaluations)
        print(f"prepared in {time.perf_counter() - began:.0f} s", flush=True)
        times = [measure(storage, evaluations) for _ in range(2 if quick else TAKEOVERS)]
    spans = {
        "process start to imports done": [t["opening"] for t in times],
        "opening the ledger (fences the old driver)": [t["opened"] - t["opening"] for t in times],
        "opened ledger to first launch": [t["launch"] - t["opened"] for t in times],
        "process start to first launch": [t["launch"] for t in times],
    }
    rows = [
        (name, f"{statistics.median(span):.2f}", f"{max(span):.2f}") for name, span in spans.items()
    ]
    write_table(
        "takeover",
        "From a killed driver to the next one's first launch",
        "python -m tests.benchmarks.takeover",
        ("from, to", "median s", "max s"),
        rows,
        f"{evaluations:,} evaluations of {PROMPTS} prompts in {commits:,} commits on local disk, a "
        f"fragment for each; {OPEN} open runs, {FINISHED_MEANWHILE} of them finished meanwhile. "
        f"{len(times)} takeovers, each killed at its first launch. Groups are simulated: finding "
        "real ones by name comes on top.",
        quick=quick,
    )


if __name__ == "__main__":
    main("--quick" in sys.argv)
