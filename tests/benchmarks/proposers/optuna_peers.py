"""Optuna's samplers over the weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from paretoflow.core.values import History, LaunchKind, Proposal
from paretoflow.proposers.asked import seed_for
from tests.benchmarks.proposers.peers import (
    asked_of,
    opening,
    sticks_of,
    weighted_launch,
    weights_of,
)

POPULATION = 10
"""Of NSGA-II: its usual 50 would be no more than random draws in a budget of 64."""


def nsga2(seed: int) -> Any:
    """Return Optuna's NSGA-II with a population that fits the budget."""
    from optuna.samplers import NSGAIISampler

    return NSGAIISampler(population_size=POPULATION, seed=seed)


def tpe(seed: int) -> Any:
    """Return Optuna's multi-objective TPE, over all weights at once."""
    from optuna.samplers import TPESampler

    return TPESampler(seed=seed, multivariate=True)


def gp(seed: int) -> Any:
    """Return Optuna's Gaussian-process sampler (hypervolume improvement, pending runs believed)."""
    from optuna.samplers import GPSampler

    return GPSampler(seed=seed)


class OptunaPeer:
    """A study that suggests each launch and receives the result of each ended run.

    A run's result is its last checkpoint. The study has the sampler's own memory, so that this peer
    is not a pure function of the history: one object serves one sweep.

    Args:
        name: Of the peer.
        sampler: Returns the sampler for a seed.
        m: Number of objectives.
    """

    def __init__(self, name: str, sampler: Callable[[int], Any], m: int) -> None:
        self._name = name
        self._sampler = sampler
        self._m = m
        self._study: Any = None
        self._trials: dict[int, Any] = {}

    def propose(
        self, history: History, pending: Sequence[Proposal], count: int, seed: int
    ) -> list[Proposal]:
        """Tell the study what has ended, and ask for the next launches."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._begin(seed)
            self._tell(history)
            chosen: list[Proposal] = []
            for _ in range(count):
                chosen.append(self._ask(history, [*pending, *chosen], seed))
        return chosen

    def _begin(self, seed: int) -> None:
        import optuna

        if self._study is None:
            optuna.logging.set_verbosity(optuna.logging.ERROR)
            self._study = optuna.create_study(
                directions=["maximize"] * self._m, sampler=self._sampler(seed)
            )

    def _tell(self, history: History) -> None:
        from optuna.trial import TrialState

        for number, run in enumerate(history.runs):
            trial = self._trials.pop(run.proposal.seed, None)
            if trial is None:
                continue
            rows = np.flatnonzero(history.run_index == number)
            if len(rows):
                self._study.tell(trial, history.gains[rows[-1]].tolist())
            else:
                self._study.tell(trial, state=TrialState.FAIL)

    def _ask(self, history: History, pending: Sequence[Proposal], seed: int) -> Proposal:
        asked = asked_of(history, pending)
        first = opening(asked, history, seed, self._name)
        names = [f"stick{i}" for i in range(self._m - 1)]
        if first is not None:
            self._study.enqueue_trial(dict(zip(names, sticks_of(first.weights.array), strict=True)))
        trial = self._study.ask()
        sticks = [trial.suggest_float(name, 0.0, 1.0) for name in names]
        launch = weighted_launch(weights_of(sticks), seed_for(seed, asked), self._name)
        launch = first or launch
        assert launch.kind is LaunchKind.WEIGHTED
        self._trials[launch.seed] = trial
        return launch
