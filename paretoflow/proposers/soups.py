"""`soups`: experts for single objectives, then mixtures of their adapters on a grid."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from paretoflow.core.merge import Merge
from paretoflow.core.values import FloatArray, History, Proposal
from paretoflow.proposers.asked import Asked, Choose, seed_for
from paretoflow.proposers.experts import Expert, TrainedRuns, expert_count, expert_launch
from paretoflow.proposers.mixtures import (
    Options,
    grid,
    merge_launch,
    merge_of,
    merges_asked,
    mixture_weights,
)
from paretoflow.proposers.stepwise import StepwiseProposer
from paretoflow.proposers.wording import preference
from paretoflow.spec.proposers import SoupsProposerSpec


class SoupsProposer(StepwiseProposer):
    """Trains experts, then proposes each mixture of a grid; ends at the end of the grid.

    A mixture is proposed as soon as its experts are trained. `frank_wolfe` needs all experts, as
    its grid is of preferences and every expert is in its pool.

    By hand, two objectives and `stop.runs: 13`: two experts, then eleven mixtures at 6/12, 3/12,
    9/12, …, none of them an expert itself.

    Args:
        spec: Its options.
        m: Number of objectives.
        runs: Runs of the sweep; if `points` is unset, all runs that the experts leave are mixtures.

    References:
        Ramé et al. 2023, arXiv 2306.04488, sec. 2.2. Departures: (1) the ends of the grid are the
        experts themselves and are not evaluated again; (2) the order is coarse to fine, so that a
        sweep that stops early has spread out; (3) the weights farthest from all others, for
        instance the centre, replace an expert that failed.
    """

    def __init__(self, spec: SoupsProposerSpec, *, m: int, runs: int) -> None:
        super().__init__()
        self._spec = spec
        self._count = expert_count(m, spec.experts)
        self._points = spec.points or max(runs - self._count, 1)

    def _chooser(self, history: History, seed: int) -> Choose:
        """Return the chooser of one launch; it returns None while experts train, and at the end."""
        runs, names = TrainedRuns(history), history.problem.names
        known = merges_asked([r.proposal for r in history.runs])

        def choose(asked: Asked, pending: Sequence[Proposal]) -> Proposal | None:
            team = runs.team(pending, self._count)
            if team.missing is not None:
                return expert_launch(team.missing, asked, names, seed, "soups")
            tried = known | merges_asked(pending)
            return self._mixture(team.experts, tried, names, seed_for(seed, asked))

        return choose

    def _mixture(
        self,
        experts: Sequence[Expert],
        tried: set[tuple[Merge, tuple[float, ...]]],
        names: Sequence[str],
        run_seed: int,
    ) -> Proposal | None:
        """Return the first untried mixture of the grid whose experts are trained."""
        order = grid(len(experts), self._points)
        for place, coefficients in enumerate(map(np.array, order)):
            needed = np.ones(len(experts)) if self._spec.how == "frank_wolfe" else coefficients
            if not all(experts[i].ready for i in np.flatnonzero(needed).tolist()):
                continue
            weights = mixture_weights(coefficients, [e.weights for e in experts])
            merge = self._merge(experts, coefficients)
            if (merge, weights.values) not in tried:
                reason = (
                    f"Mixture {place + 1} of {len(order)}, from coarse to fine: "
                    f"{preference(weights, names)}, {self._from(merge)}."
                )
                return merge_launch(merge, weights, run_seed, reason, ("soups", "soup"))
        return None

    def _merge(self, experts: Sequence[Expert], coefficients: FloatArray) -> Merge:
        how, rank = self._spec.how, self._spec.rank
        if how == "frank_wolfe":
            return Merge(how, tuple(e.snapshots[-1] for e in experts))
        if how == "ibcl":
            return self._posterior(experts, coefficients)
        options: Options = {"rank": rank} if how == "svd" and rank is not None else {}
        return merge_of(how, experts, coefficients.tolist(), options)

    def _posterior(self, experts: Sequence[Expert], coefficients: FloatArray) -> Merge:
        """Return a merge of all checkpoints of the experts; each run's share is split evenly."""
        kept = [i for i, c in enumerate(coefficients) if c != 0]
        sizes = [len(experts[i].snapshots) for i in kept]
        shares = [[coefficients[i] / n] * n for i, n in zip(kept, sizes, strict=True)]
        return Merge(
            "ibcl",
            tuple(chain.from_iterable(experts[i].snapshots for i in kept)),
            tuple(float(c) for c in chain.from_iterable(shares)),
            (("groups", ",".join(map(str, sizes))), ("interval", self._spec.interval)),
        )

    def _from(self, merge: Merge) -> str:
        if self._spec.how == "frank_wolfe":
            return f"by Frank-Wolfe steps in a pool of {len(merge.parents)} experts"
        return f"mixed from {len(merge.parents)} adapters ({self._spec.how})"
