"""Trivial trials on Ray Tune, in its own process: the peer in `against_tune`.

    python -m tests.benchmarks.tune_trials timed reused|default COUNT
    python -m tests.benchmarks.tune_trials endless FOLDER      until it is killed
    python -m tests.benchmarks.tune_trials restore FOLDER

A trial sleeps `TRIAL_S` and reports two metrics `REPORTS` times. A line is printed for every trial
that Tune reports to the searcher as complete.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")

import ray
from ray import tune
from ray.tune.search import ConcurrencyLimiter, Searcher

WORKERS = 2
REPORTS = 3
TRIAL_S = 0.3
ENDLESS = 100_000


class Telling(Searcher):
    """Proposes numbers, and prints the trials that Tune reports as complete."""

    def __init__(self, count: int) -> None:
        super().__init__(metric="a", mode="max")
        self._count = count
        self._asked = 0

    def suggest(self, trial_id: str) -> Any:
        if self._asked == self._count:
            return Searcher.FINISHED
        self._asked += 1
        return {"x": self._asked / self._count}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        print(f"finished {trial_id} {time.time()}", flush=True)

    def save(self, checkpoint_path: str) -> None:
        Path(checkpoint_path).write_text(str(self._asked))

    def restore(self, checkpoint_path: str) -> None:
        self._asked = int(Path(checkpoint_path).read_text())


def working(config: dict[str, Any]) -> None:
    """A trial with something to lose."""
    for step in range(REPORTS):
        time.sleep(TRIAL_S / REPORTS)
        tune.report({"a": config["x"] * step, "b": -config["x"]})


def trivial(config: dict[str, Any]) -> None:
    """A trial of no length: what is left is overhead."""
    tune.report({"a": config["x"], "b": -config["x"]})


def tuner(trainable: Any, count: int, folder: Path | None, *, reuse: bool = False) -> tune.Tuner:
    """Return a tuner with the settings that a user gets, two trials at a time."""
    search = ConcurrencyLimiter(Telling(count), max_concurrent=WORKERS)
    return tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(search_alg=search, num_samples=count, reuse_actors=reuse),
        run_config=tune.RunConfig(
            name="trials", storage_path=None if folder is None else str(folder), verbose=0
        ),
    )


def main(words: list[str]) -> None:
    """Do what the arguments say."""
    ray.init(
        address="local",
        num_cpus=WORKERS,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )
    if words[0] == "timed":
        reuse, count = words[1] == "reused", int(words[2])
        tuner(trivial, count, None, reuse=reuse).fit()
    elif words[0] == "endless":
        tuner(working, ENDLESS, Path(words[1])).fit()
    else:
        found = tune.Tuner.restore(str(Path(words[1]) / "trials"), trainable=working)
        results = found.get_results()
        whole = [r for r in results if r.metrics and r.metrics.get("training_iteration") == REPORTS]
        print(f"restored {len(results)} {len(whole)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
