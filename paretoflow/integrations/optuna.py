"""A sampler of Optuna that uses our proposers, for studies with several directions.

    import optuna
    from paretoflow.integrations.asking import objective
    from paretoflow.integrations.optuna import ParetoSampler

    sampler = ParetoSampler(
        [objective("helpful", 0, 1), objective("words", 5, 60, direction="minimize")], runs=24
    )
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)

    def train(trial):
        launch = sampler.launch(trial)
        return helpful, words

A preference is m float parameters `weight_<objective>` from 0 to 1, which sum to one as they are
sampled. `launch` suggests them, scales enqueued ones, and returns the values of
`asking.launch_config`, with the parent as the number of an earlier trial. Another sampler samples
all other parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from paretoflow.core.errors import MissingExtraError, SpecError
from paretoflow.core.values import LaunchKind, ObjectiveInfo, Proposal, WeightVector
from paretoflow.integrations.asking import (
    TRAINED,
    EndedTrial,
    TrialProposer,
    finite_scores,
    launch_config,
)
from paretoflow.spec.proposers import ProposerSpec

try:
    from optuna.distributions import BaseDistribution, FloatDistribution
    from optuna.samplers import BaseSampler, RandomSampler
    from optuna.trial import TrialState
except ModuleNotFoundError as error:
    raise MissingExtraError.of("paretoflow.integrations.optuna", "optuna", "optuna") from error

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

LAUNCH = "paretoflow:launch"
"""System attribute of a trial that holds its launch."""
STDERR = "stderr"
"""User attribute of a trial for the standard errors of its values, a list in their order."""


class ParetoSampler(BaseSampler):
    """Samples the weights of a proposer's launches, with regard to running trials.

    The sampler has no state: the study's trials store their launches, so that a study can continue
    in another process. Failed and pruned trials, and trials with non-finite values, count as
    failed; their launches are not repeated. Optuna cannot wait: while the proposer waits, and after
    its end, weights are sampled like any other parameter.

    Args:
        objectives: One for each direction of the study, from `asking.objective`.
        proposer: A spec, or a tag for its defaults.
        runs: Number of trials in all; some proposers plan with it.
        launches: Kinds of launch that a trial supports.
        seed: Seed of all random choices.
        others: Samples all other parameters; None draws them at random.

    Raises:
        SpecError: If the proposer is unknown, or needs other launches than these.
    """

    def __init__(
        self,
        objectives: Sequence[ObjectiveInfo],
        *,
        proposer: ProposerSpec | str = "auto",
        runs: int = 64,
        launches: Sequence[str] = TRAINED,
        seed: int = 0,
        others: BaseSampler | None = None,
    ) -> None:
        self._asking = TrialProposer(
            objectives, proposer=proposer, runs=runs, launches=launches, seed=seed
        )
        self._others = RandomSampler(seed) if others is None else others
        self._params = tuple(f"weight_{o.name}" for o in objectives)

    def launch(self, trial: Trial) -> dict[str, Any]:
        """Suggest the weights of a trial, and return its launch as plain values.

        Raises:
            SpecError: If enqueued weights are all 0, or the study's directions are not those of the
                objectives.
        """
        for name in self._params:
            trial.suggest_float(name, 0.0, 1.0)
        told = trial.study.get_trials(deepcopy=False)[trial.number]
        launch = self._launch_of(told)
        if launch is None:
            raise SpecError(
                f"got weights of {trial.params}; allowed: at least one above 0",
                f"trial {trial.number}",
                code="spec-not-allowed",
            )
        config = launch_config(launch, self._asking.problem)
        return {**config, "parent": None if launch.parent is None else int(launch.parent)}

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the weights' ranges.

        Raises:
            SpecError: If the study's directions are not those of the objectives.
        """
        wanted = [o.direction.value for o in self._asking.problem.objectives]
        found = [d.name.lower() for d in study.directions]
        if found != wanted:
            raise SpecError(
                f"got the directions {found}; allowed: {wanted}, those of the objectives",
                f"study {study.study_name!r}",
                code="spec-contradiction",
            )
        return {name: FloatDistribution(0.0, 1.0) for name in self._params}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the weights of the next launch; none if they are fixed already."""
        if set(self._params) & set(trial.system_attrs.get("fixed_params", {})):
            return {}
        told = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number]
        launches = {t.number: self._launch_of(t) for t in told}
        ended = [
            EndedTrial(str(t.number), p, *self._scores(t))
            for t in told
            if t.state.is_finished() and (p := launches[t.number]) is not None
        ]
        running = [launches[t.number] for t in told if t.state is TrialState.RUNNING]
        launch = self._asking.next_launch(ended, [p for p in running if p is not None])
        if launch is None:
            return {}
        # the only way to store it: a frozen trial is read-only
        study._storage.set_trial_system_attr(trial._trial_id, LAUNCH, launch.to_dict())
        return dict(zip(self._params, launch.weights.values, strict=True))

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return a value of another parameter, by the other sampler."""
        return self._others.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Notify the other sampler that a trial begins."""
        self._others.before_trial(study, trial)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Notify the other sampler that a trial has ended."""
        self._others.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """Reseed the other sampler; a proposer's choices follow from the trials alone."""
        self._others.reseed_rng()

    def _launch_of(self, trial: FrozenTrial) -> Proposal | None:
        """Return the launch of a trial; None if it has no weights, or none above 0."""
        plain = trial.system_attrs.get(LAUNCH)
        if plain is not None:
            return Proposal.from_dict(plain)
        weights = finite_scores(trial.params, self._params)
        if weights is None or sum(weights) <= 0:
            return None
        reason = "Sampled without the proposer, or enqueued."
        return Proposal(
            LaunchKind.WEIGHTED, WeightVector.of(weights), trial.number, reason, "optuna"
        )

    def _scores(self, trial: FrozenTrial) -> tuple[tuple[float, ...] | None, tuple[float, ...]]:
        """Return raw scores, None for a failed trial, and their standard errors."""
        names = self._asking.problem.names
        values = trial.values if trial.state is TrialState.COMPLETE else None
        stderr = _named(trial.user_attrs.get(STDERR), names)
        return finite_scores(_named(values, names), names), finite_scores(stderr, names) or ()


def _named(values: Sequence[float] | None, names: Sequence[str]) -> Mapping[str, float]:
    return dict(zip(names, values or (), strict=False))
