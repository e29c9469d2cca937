"""Trivial runs on worker groups, in its own process: our side of `against_tune`.

    python -m tests.benchmarks.group_trials timed COUNT FOLDER
    python -m tests.benchmarks.group_trials endless FOLDER        until it is killed

It uses the whole path of a sweep: planner, Delta ledger with fsync, real Ray, warm workers, result
fragments; only the training is a sleep. It prints a line for every finished run in the ledger.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from paretoflow.engine.loop.hooks import Watching
from paretoflow.engine.session.folder import sweep_root
from paretoflow.engine.session.run import run_sweep
from paretoflow.engine.state.sweep_state import SweepState
from tests.benchmarks.tune_trials import ENDLESS, REPORTS, TRIAL_S, WORKERS
from tests.integration.cheap_executor import CHEAP, PACE
from tests.sim.specs import circle_spec


class Telling:
    """Prints each finished run once, with the time."""

    def __init__(self) -> None:
        self._told = 0

    def __call__(self, state: SweepState, note: str) -> None:
        while self._told < state.finished:
            self._told += 1
            print(f"finished {self._told} {time.time()}", flush=True)


def run(count: int, folder: Path, step_s: float) -> None:
    """Run a sweep of `count` runs with `REPORTS` steps of `step_s` seconds each."""
    spec = circle_spec(
        stop={"runs": count},
        storage=str(folder),
        engine={"worker_groups": WORKERS},
        method={"type": "dpo", "steps": REPORTS},
        proposer={"type": "dirichlet"},
    )
    if step_s:
        sweep_root(spec).write(PACE, json.dumps({"step_s": step_s}).encode())
    run_sweep(spec, watch=Watching(Telling()), executor=CHEAP)


if __name__ == "__main__":
    if sys.argv[1] == "timed":
        run(int(sys.argv[2]), Path(sys.argv[3]), 0.0)
    else:
        run(ENDLESS, Path(sys.argv[2]), TRIAL_S / REPORTS)
