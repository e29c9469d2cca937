"""`psl`: Pareto set learning over run configurations, weights with the settings of `search`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from paretoflow.core.ids import rng_of, seed_of
from paretoflow.core.merge import Merge
from paretoflow.core.settings import settings_text
from paretoflow.core.values import FloatArray, History, LaunchKind, Proposal
from paretoflow.front.dominance import nondominated
from paretoflow.front.hypervolume import improvement
from paretoflow.front.simplex import uniform_simplex
from paretoflow.proposers.asked import Asked, Choose, seed_for
from paretoflow.proposers.configurations import (
    KernelMemory,
    KnownPoints,
    Offer,
    known_runs,
    offer_near,
    points_of,
    redraws,
    repeats,
)
from paretoflow.proposers.gaussian import GainModel
from paretoflow.proposers.initial import SPARE_SHARE, initial_count, initial_launch
from paretoflow.proposers.kernels import spread_part
from paretoflow.proposers.particles import Push, evolved_set, optimistic, pareto_set, tchebycheff
from paretoflow.proposers.ranges import normalised_ref
from paretoflow.proposers.settings import drawn
from paretoflow.proposers.spread import spread_launch
from paretoflow.proposers.stepwise import StepwiseProposer
from paretoflow.proposers.wording import preference
from paretoflow.spec.proposers.sets import SetProposerSpec
from paretoflow.spec.search import Axis

PARTICLES = 24
POOL = 128
"""Number of random configurations that particles may start from."""
FRONT_POINTS = 128
"""Largest number of front points, far from each other: bounds the time of a hypervolume."""
OPENING_PER_AXIS = 2
REDRAW_COST = 0.2
"""Cost of a launch that does not train, relative to one that does."""


class PslProposer(StepwiseProposer):
    """Learns the configurations of the Pareto set, and launches the one that adds the most.

    After the opening stage, whose settings are drawn evenly, a Gaussian process for each objective
    predicts the outcome of a run from the base. Its inputs are the weights and the places of the
    settings along their axes. For each of some random preferences, a particle descends to the
    configuration whose optimistic prediction has the smallest Tchebycheff distance to the best
    known gains. Of all these, the one whose prediction adds the most hypervolume to the attained
    front is launched. Pending launches are expected to reach their means. With `redraw`, runs on
    the front with other decoding are compared with them, by gain for cost.

    By hand: attained (1, 0) and (0, 1) with the reference point (0, 0), and two particles predicted
    at (.5, .5) and (.7, .2): they add .25 and .14, so the first is launched.

    Args:
        spec: Its options.
        m: Number of objectives.
        runs: Runs of the sweep.
        axes: Settings of launches beside weights; without axes only weights are searched.

    References:
        Lin et al. 2022, arXiv 2210.08495 (PSL), alg. 1 and 2. Departures: (1) a particle for each
        preference instead of a network from preferences to configurations, since a decision has
        milliseconds and few preferences; (2) it starts from the best of known and random
        configurations for its preference; (3) the hypervolume's reference point is the sweep's own;
        (4) a batch is chosen one by one, each launch believed before the next.
    """

    tag = "psl"
    push: Push | None = None

    def __init__(
        self, spec: SetProposerSpec, *, m: int, runs: int, axes: Sequence[Axis] = ()
    ) -> None:
        super().__init__()
        self._axes = tuple(axes)
        self._initial = initial_count(m, spec.initial)
        if spec.initial is None:
            self._initial += OPENING_PER_AXIS * len(self._axes)
        self._spare = max(self._initial, runs // SPARE_SHARE)
        self._optimism = spec.optimism
        self._redraws = spec.redraw and any(axis.home == "generation" for axis in axes)
        self._inner = getattr(spec, "inner", "psl")
        self._kernels = KernelMemory()

    def _chooser(self, history: History, seed: int) -> Choose:
        """Return the chooser of one launch; it returns None only while the opening stage trains."""
        names = history.problem.names
        known = cache(lambda: known_runs(history, self._axes, self._kernels))

        def choose(asked: Asked, pending: Sequence[Proposal]) -> Proposal | None:
            first = initial_launch(asked, self._initial, names, seed, self.tag)
            if first is not None:
                return drawn(first, self._axes, len(asked), seed)
            opening = any(p.tag == "initial" for p in pending)
            few = opening and len(known().points) < self._initial and len(asked) < self._spare
            if len(known().points) and not few:
                return self._informed(known(), history, asked, pending, seed)
            if opening and not few:
                return None
            why = "Few runs tell yet what configurations come to"
            return self._spread(asked, names, seed, why)

        return choose

    def _spread(self, asked: Asked, names: Sequence[str], seed: int, why: str) -> Proposal:
        return drawn(spread_launch(asked, names, seed, why, self.tag), self._axes, len(asked), seed)

    def _informed(
        self,
        known: KnownPoints,
        history: History,
        asked: Asked,
        pending: Sequence[Proposal],
        seed: int,
    ) -> Proposal:
        """Return the launch that adds the most; a far-away one if none adds anything."""
        run_seed = seed_for(seed, asked)
        coming = points_of(pending, self._axes, history.problem.m)
        model = known.model.believing(coming)
        front = front_of(np.vstack([model.attained(), known.others]))
        prospect = Prospect(model, front, self._optimism)
        taken = np.vstack([known.taken, coming])
        found = self._set(prospect, known, run_seed)
        offers = [offer_near(point, self._axes) for point in found]
        if self._redraws:
            offers += redraws(known, self._axes, rng_of(run_seed, "redraws"))
        points = np.array([offer.point for offer in offers])
        gains = prospect.gains_of(points, normalised_ref(history))
        gains[repeats(points, taken)] = 0.0
        costs = np.array([REDRAW_COST if offer.source else 1.0 for offer in offers])
        best = int((gains / costs).argmax())
        if gains[best] <= 0:
            why = "No configuration is expected to add anything"
            return self._spread(asked, history.problem.names, seed, why)
        names = history.problem.names
        told = f"{gains[best]:.1%} of the ranges' product"
        return self._launch(offers[best], names, run_seed, told)

    def _launch(self, offer: Offer, names: Sequence[str], run_seed: int, told: str) -> Proposal:
        """Return the launch of an offer; `told` describes its expected gain."""
        asks = preference(offer.weights, names)
        asks += f" with {settings_text(offer.settings)}" if offer.settings else ""
        launch = Proposal(
            kind=LaunchKind.WEIGHTED,
            weights=offer.weights,
            seed=run_seed,
            reason=f"Of the Pareto set that the runs so far let expect, {asks} would add the most "
            f"hypervolume, {told}.",
            proposer=self.tag,
            tag="model",
            settings=offer.settings,
        )
        if not offer.source:
            return launch
        return replace(
            launch,
            kind=LaunchKind.MERGE,
            merge=Merge("cat", (offer.source,), (1.0,)),
            reason=f"Drawing the answers of {offer.source} otherwise, {asks}, trains nothing and "
            f"would add the most hypervolume for its cost, {told}.",
            tag="redraw",
        )

    def _set(self, prospect: Prospect, known: KnownPoints, run_seed: int) -> FloatArray:
        """Return candidate configurations, shape (q, d): the learnt set, and its starts."""
        m = prospect.front.shape[1]
        rng = rng_of(run_seed, "pool")
        pool = np.hstack([rng.dirichlet(np.ones(m), POOL), rng.random((POOL, len(self._axes)))])
        pool = np.vstack([known.points, pool])
        preferences = uniform_simplex(m, PARTICLES, seed_of(run_seed, "preferences"))
        starts = prospect.nearest(pool, preferences)
        best = prospect.front.max(axis=0)
        if self._inner == "psl":
            found = pareto_set(prospect.model, preferences, starts, best, self._optimism, self.push)
        else:
            found = evolved_set(prospect.model, self._optimism, self._inner, starts, run_seed)
        return np.vstack([found, starts])


@dataclass(frozen=True)
class Prospect:
    """Model and front before a choice.

    Args:
        model: Model that counts pending launches as arrived at their predicted means.
        front: Attained or expected normalised gains, non-dominated, shape (k, m).
        optimism: Deviations above the mean in an optimistic prediction.
    """

    model: GainModel
    front: FloatArray
    optimism: float

    def gains_of(self, points: FloatArray, ref: FloatArray) -> FloatArray:
        """Return the hypervolume that each configuration alone would add, shape (q,)."""
        values, _ = optimistic(self.model, points, self.optimism)
        return improvement(values, self.front, ref)

    def nearest(self, pool: FloatArray, preferences: FloatArray) -> FloatArray:
        """Return the configuration with the smallest distance for each preference, shape (q, d)."""
        mean, sd = self.model.predicted(pool)
        values, best = mean + self.optimism * sd, self.front.max(axis=0)
        distances = [
            tchebycheff(values, np.broadcast_to(p, values.shape), best)[0] for p in preferences
        ]
        nearest: FloatArray = pool[np.argmin(distances, axis=1)]
        return nearest


def front_of(gains: FloatArray) -> FloatArray:
    """Return the non-dominated rows, shape (k, m); if too many, rows far from each other."""
    front = gains[nondominated(gains)]
    return front[spread_part(front, FRONT_POINTS)]
