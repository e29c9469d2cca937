"""Optuna launches the trials, ParetoFlow chooses what they train.

python -m tests.integration.examples.optuna_study
"""

from __future__ import annotations

import optuna

from paretoflow.integrations.optuna import ParetoSampler
from tests.integration.examples.concave import OBJECTIVES, trained


def study(trials: int, storage: optuna.storages.BaseStorage | str | None = None) -> optuna.Study:
    """Run a study, or continue the one in a storage; return it."""
    sampler = ParetoSampler(OBJECTIVES, runs=trials)

    def train(trial: optuna.Trial) -> tuple[float, float]:
        launch = sampler.launch(trial)
        if launch["parent"] is not None:
            # here a real trainer loads the checkpoint of trial number launch["parent"]
            trial.set_user_attr("from", launch["parent"])
        return trained(launch)

    made = optuna.create_study(
        study_name="concave",
        storage=storage,
        directions=["maximize", "minimize"],
        sampler=sampler,
        load_if_exists=True,
    )
    made.optimize(train, n_trials=trials - len(made.trials))
    return made


def main() -> None:
    """Run a study of twelve trials and print its front."""
    for trial in study(12).best_trials:
        kind, seconds = trial.values
        print(f"trial {trial.number:2d}  kind {kind:.3f}  seconds {seconds:.2f}")


if __name__ == "__main__":
    main()
