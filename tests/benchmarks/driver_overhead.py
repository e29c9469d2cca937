"""Driver time for each launch, by the length of the history, with the ledger in memory and on disk.

The time of a launch is that of the driver between a worker group becoming free and its next launch:
record the last result, decide, commit the decision, send it. The oracle answers at once, so the
time contains nothing else.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from paretoflow.core.cost import Cost
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.ids import rng_of
from paretoflow.core.values import LaunchKind, Proposal, WeightVector
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.simulation.backend import SimulatedBackend, SimulatedCluster
from paretoflow.engine.state.events import calibrated, evaluated, finished
from paretoflow.ledger import open_ledger
from paretoflow.ledger.ledger import Ledger
from paretoflow.ledger.memory import MemoryLedger
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.proposers import build
from paretoflow.scoring.calibrate import declared_problem
from paretoflow.spec.sweep import SweepSpec
from tests.benchmarks.results_file import write_table
from tests.sim.oracles import CircleOracle
from tests.sim.specs import circle_spec

HISTORIES = (0, 1_000, 10_000)
LAUNCHES = 60


def past(count: int, spec: SweepSpec) -> list[Event]:
    """Return the rows of `count` finished runs of one noisy evaluation each."""
    events = [
        Event("opened:past", EventKind.OPENED, 0.0),
        calibrated(declared_problem(spec.objectives), 0.0),
    ]
    rng = rng_of("past", count)
    for i in range(count):
        run_id, angle = f"p{i:06d}", rng.uniform(0, np.pi / 2)
        scores = 1 - np.array([np.sin(angle), np.cos(angle)]) - rng.exponential(0.05, 2)
        weights = WeightVector.of([angle + 0.01, np.pi / 2 - angle + 0.01])
        proposal = Proposal(LaunchKind.WEIGHTED, weights, i, "past", "lattice")
        events += [
            Event(
                f"proposed:{run_id}",
                EventKind.PROPOSED,
                i,
                run_id=run_id,
                payload={"proposal": proposal.to_dict()},
            ),
            Event(f"started:{run_id}:0", EventKind.STARTED, i, run_id=run_id),
            evaluated(
                Evaluation(
                    scores=scores,
                    stderr=np.full(2, 0.01),
                    prompt_scores=scores[:, None],
                    n=1,
                    cost=Cost(1.0, 1.0, 0),
                    weights=weights.values,
                ).named(run_id, 0, 1),
                i,
            ),
            finished(run_id, 0, i),
        ]
    return events


class TimedBackend(SimulatedBackend):
    """Notes the driver's own time between a report and the next launch."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.taken: list[float] = []
        self._since: float | None = None

    def poll(self, timeout_s: float) -> list:  # type: ignore[type-arg]
        """Start the clock when a worker falls free."""
        reports = super().poll(timeout_s)
        if any(r.ended for r in reports):
            self._since = time.perf_counter()
        return reports

    def launch(self, launch: object) -> None:
        """Stop the clock when the next launch arrives."""
        if self._since is not None:
            self.taken.append(time.perf_counter() - self._since)
            self._since = None
        super().launch(launch)  # type: ignore[arg-type]


def measure(history: int, ledger_of: Callable[[Path], Ledger]) -> list[float]:
    """Return the driver's seconds for each of `LAUNCHES` launches on top of a history."""
    spec = circle_spec(stop={"runs": history + LAUNCHES}, engine={"worker_groups": 1})
    with tempfile.TemporaryDirectory() as folder:
        ledger = ledger_of(Path(folder))
        ledger.append(past(history, spec))
        backend = TimedBackend(
            SimulatedCluster(
                CircleOracle(),
                declared_problem(spec.objectives),
                spec.engine,
                seed=0,
                start_s=float(history),
            )
        )
        Driver(spec, ledger, backend, build(spec.proposer, m=2, runs=spec.stop.runs)).run()
        return backend.taken


def main(quick: bool = False) -> None:
    """Measure and write the table."""
    ledgers: dict[str, Callable[[Path], Ledger]] = {
        "memory": lambda folder: MemoryLedger(),
        "Delta, fsync": lambda folder: open_ledger(folder, writer=True, create=True),
    }
    rows = []
    for name, ledger_of in ledgers.items():
        for history in HISTORIES[: 2 if quick else None]:
            taken = [1000 * t for t in measure(history, ledger_of)]
            p99 = float(np.quantile(taken, 0.99))
            rows.append(
                (
                    name,
                    f"{history:,}",
                    f"{statistics.median(taken):.1f}",
                    f"{p99:.1f}",
                    f"{max(taken):.1f}",
                )
            )
    write_table(
        "driver_overhead",
        "Driver time for each launch",
        "python -m tests.benchmarks.driver_overhead",
        ("ledger", "evaluations before", "median ms", "p99 ms", "max ms"),
        rows,
        f"{LAUNCHES} launches each, proposer empty_box, two objectives, one worker. With the "
        "ledger on disk each launch holds two durable commits (the result, the decision) and, "
        "when the front changed, a front snapshot.",
        quick=quick,
    )


if __name__ == "__main__":
    main("--quick" in sys.argv)
