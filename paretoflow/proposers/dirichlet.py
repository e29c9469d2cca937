"""`dirichlet`: the corners, then independent draws; never ends, and hard to beat from m = 5 on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paretoflow.core.ids import rng_of
from paretoflow.core.values import History, LaunchKind, Proposal, WeightVector
from paretoflow.proposers.asked import Asked, Choose, seed_for
from paretoflow.proposers.initial import initial_launch
from paretoflow.proposers.stepwise import StepwiseProposer
from paretoflow.proposers.wording import preference
from paretoflow.spec.proposers import DirichletProposerSpec

ATTEMPTS = 32
"""Number of draws before a repetition is accepted: a tiny concentration draws mostly corners."""


class DirichletProposer(StepwiseProposer):
    """Draws weights from a symmetric Dirichlet distribution, the corners first; ignores results.

    Args:
        spec: Its options.
        m: Number of objectives.
        runs: Runs of the sweep; draws do not depend on it.
    """

    def __init__(self, spec: DirichletProposerSpec, *, m: int, runs: int) -> None:
        super().__init__()
        self._m = m
        self._alpha = spec.alpha

    def _chooser(self, history: History, seed: int) -> Choose:
        """Return the chooser of one launch: the corners first, then draws."""
        names = history.problem.names

        def choose(asked: Asked, pending: Sequence[Proposal]) -> Proposal:
            corner = initial_launch(asked, self._m, names, seed, "dirichlet")
            return corner or self._draw(asked, names, seed)

        return choose

    def _draw(self, asked: Asked, names: Sequence[str], seed: int) -> Proposal:
        run_seed = seed_for(seed, asked)
        weights = self._fresh_weights(asked, run_seed)
        return Proposal(
            kind=LaunchKind.WEIGHTED,
            weights=weights,
            seed=run_seed,
            reason=f"A random preference: {preference(weights, names)}.",
            proposer="dirichlet",
            tag="draw",
        )

    def _fresh_weights(self, asked: Asked, run_seed: int) -> WeightVector:
        rng = rng_of(run_seed, "dirichlet")
        for _ in range(ATTEMPTS):
            weights = WeightVector.of(rng.dirichlet(np.full(self._m, self._alpha)))
            if not asked.has_tried(weights.values):
                break
        return weights
