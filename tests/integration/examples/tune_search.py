"""Ray Tune launches the trials, ParetoFlow chooses what they train, rungs stop what is outdone.

python -m tests.integration.examples.tune_search
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")

import ray
from ray import tune

from paretoflow.integrations.ray_tune import ParetoRungs, ParetoSearcher
from tests.integration.examples.concave import OBJECTIVES, trained

STEPS = 9


def train(config: dict[str, Any]) -> None:
    """Come nearer to the answer at every step, and report on the way.

    Here a real trainer starts from the checkpoint of the trial `config["parent"]`, if there is one,
    and leaves its own where later trials find it by its id.
    """
    kind, seconds = trained(config)
    for step in range(1, STEPS + 1):
        share = step / STEPS
        tune.report({"kind": kind * share, "seconds": 10.0 - (10.0 - seconds) * share})


def tuner(trials: int, folder: Path, name: str = "concave") -> tune.Tuner:
    """Return a tuner of so many trials, two at a time."""
    return tune.Tuner(
        tune.with_resources(train, {"cpu": 1}),
        tune_config=tune.TuneConfig(
            search_alg=ParetoSearcher(OBJECTIVES, runs=trials),
            scheduler=ParetoRungs(OBJECTIVES, first=1, steps=STEPS),
            num_samples=trials,
            max_concurrent_trials=2,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(name=name, storage_path=str(folder), verbose=0),
    )


def start_ray() -> None:
    """Start a Ray of two cores on this machine, whatever cluster is here already."""
    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    ray.init(address="local", num_cpus=2, **quiet)


def main() -> None:
    """Run twelve trials and print what each came to."""
    start_ray()
    with TemporaryDirectory() as folder:
        for result in tuner(12, Path(folder)).fit():
            found = result.metrics or {}
            kind, seconds = found["kind"], found["seconds"]
            step = found["training_iteration"]
            print(f"{found['trial_id']}  kind {kind:.3f}  seconds {seconds:.2f}  step {step}")
    ray.shutdown()


if __name__ == "__main__":
    main()
