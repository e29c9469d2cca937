"""`ols`: optimistic linear support; weights at corners of the envelope, widest bound first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paretoflow.core.values import FloatArray, History, LaunchKind, Proposal, WeightVector
from paretoflow.front.simplex import even_simplex
from paretoflow.proposers.asked import Asked, Choose, seed_for
from paretoflow.proposers.corners import corner_weights, envelope, value_bounds
from paretoflow.proposers.initial import SPARE_SHARE, initial_launch
from paretoflow.proposers.ranges import normalised, normalised_errors
from paretoflow.proposers.spread import farthest_first, spread_launch
from paretoflow.proposers.stepwise import StepwiseProposer
from paretoflow.proposers.wording import preference
from paretoflow.spec.proposers.surrogates import OlsProposerSpec

GRID = 256
"""Number of directions, beside those of the runs, in one of which a point must be the best to be
kept."""
MOST_RUNS = 128
"""Largest number of runs whose values bound others; of more, those with weights far apart."""
APART = 1e-3
"""Distance below which a corner repeats weights that were tried."""
LEAST = 1e-6
"""Width below which a corner is due to rounding."""


class OlsProposer(StepwiseProposer):
    """Trains at the corner weight where the bound leaves most to win.

    The known points make an envelope over all weights. A new policy can rise most above it at its
    corners. The weighted sums that runs at other weights have reached bound this rise (`corners`).
    The widest corner comes next. When no corner is left, weights far from all tried so far use up
    the budget, unless `epsilon` is set, which then ends the sweep.

    Noise: the bound that `epsilon` is compared with is computed from scores lowered by `z` standard
    errors, so that the sweep does not continue for widths that are due to noise alone.

    Pending launches are expected to arrive half-way from the best known point at their weights to
    the best possible one. If they were expected at the bound itself, one launch would close the
    envelope for all the others.

    By hand: (1, 0) and (0, 1) at the corners of two objectives leave one corner, (.5, .5), with the
    envelope at .5 and the bound at 1. A run there that reaches (.75, .75) makes the corners
    (.75, .25) and (.25, .75), with the envelope at .75 and the bound at .875.

    Args:
        spec: Its options.
        m: Number of objectives, at most 4.
        runs: Runs of the sweep.

    References:
        Roijers 2016, Multi-objective decision-theoretic planning, alg. 3.1 (OLS). Departures: (1)
        noise, pending launches and spread weights as described; (2) every evaluated point counts
        for the envelope, not only those of the runs at visited weights; (3) widths are measured in
        normalised gains, not relative to the envelope.
    """

    def __init__(self, spec: OlsProposerSpec, *, m: int, runs: int) -> None:
        super().__init__()
        self._m = m
        self._spare = max(m + 1, runs // SPARE_SHARE)
        self._epsilon = spec.epsilon
        self._z = spec.z

    def _chooser(self, history: History, seed: int) -> Choose:
        """Return the chooser of one launch; None while a corner trains, or at the end."""
        names = history.problem.names

        def choose(asked: Asked, pending: Sequence[Proposal]) -> Proposal | None:
            first = initial_launch(asked, self._m, names, seed, "ols")
            if first is not None:
                return first
            known = support_of(history, self._z)
            if not len(known.weights):
                if pending and len(asked) >= self._spare:
                    return None
                return spread_launch(asked, names, seed, "No run tells yet what to bound", "ols")
            believed = known.believing(pending)
            if self._epsilon is not None and left_to_win(believed) <= self._epsilon:
                return None
            corner = widest_corner(believed, tried_weights(asked, self._m))
            if corner is not None:
                return _launch(corner, names, seed_for(seed, asked))
            return spread_launch(asked, names, seed, "No corner promises anything more", "ols")

        return choose


@dataclass(frozen=True)
class Support:
    """Points and runs that bound the weighted sums from both sides, normalised.

    Args:
        points: Known or expected gains, shape (n, m), those that are best somewhere.
        noise: Standard errors of the points times z, shape (n, m); 0 for expected points.
        weights: Weights of the runs, shape (k, m).
        most: Upper end of each objective, shape (m,).
    """

    points: FloatArray
    noise: FloatArray
    weights: FloatArray
    most: FloatArray

    def values(self) -> FloatArray:
        """Return the best known weighted sum at each run's weights, shape (k,)."""
        return envelope(self.weights, self.points)

    def sure_values(self) -> FloatArray:
        """Return the same sums, each point's sum lowered by its own noise at those weights."""
        lower = np.sqrt(self.weights**2 @ (self.noise**2).T)
        return np.asarray((self.weights @ self.points.T - lower).max(axis=1), dtype=np.float64)

    def believing(self, pending: Sequence[Proposal]) -> Support:
        """Return the support with pending weighted launches half-way to their bounds."""
        m = len(self.most)
        coming = [p.weights.values for p in pending if p.kind is LaunchKind.WEIGHTED]
        if not coming:
            return self
        where = np.array(coming, dtype=np.float64).reshape(-1, m)
        here = envelope(where, self.points)
        there = value_bounds(where, self.weights, self.values(), self.most)
        # along the diagonal every weighted sum rises by the same amount
        best = np.array([_mean_of_best(w, self.points) for w in where])
        believed = np.minimum(best + (there - here)[:, None] / 2, self.most)
        return Support(
            np.vstack([self.points, believed]),
            np.vstack([self.noise, np.zeros_like(believed)]),
            np.vstack([self.weights, where]),
            self.most,
        )


@dataclass(frozen=True)
class Corner:
    """The widest corner of the envelope.

    Args:
        here: Weighted sum of the envelope there.
        bound: Upper bound of the weighted sum there.
    """

    weights: WeightVector
    here: float
    bound: float


def support_of(history: History, z: float) -> Support:
    """Return the bounds from ended weighted runs and all evaluated points.

    Args:
        history: Ended runs and evaluations.
        z: Standard errors by which scores are lowered.
    """
    m = history.problem.m
    found = {run for run in history.run_index.tolist() if run >= 0}
    launched = [history.runs[run].proposal for run in sorted(found)]
    of_runs = {p.weights.values for p in launched if p.kind is LaunchKind.WEIGHTED}
    weights = np.array(sorted(of_runs), dtype=np.float64).reshape(-1, m)
    corners = [i for i, w in enumerate(weights.tolist()) if max(w) == 1.0]
    apart = farthest_first(weights, weights[corners], MOST_RUNS - len(corners))
    weights = weights[sorted([*corners, *apart])]
    front = history.front
    gains = normalised(history)[front]
    directions = np.vstack([weights, np.eye(m), even_simplex(m, GRID)])
    best = np.unique((directions @ gains.T).argmax(axis=1)) if len(front) else front
    top = gains.max(axis=0, initial=1.0) if len(front) else np.ones(m)
    return Support(gains[best], z * normalised_errors(history)[front][best], weights, top)


def widest_corner(support: Support, tried: FloatArray) -> Corner | None:
    """Return the widest corner that was not tried; None if there is none.

    Args:
        support: Known and expected points, and bounds.
        tried: Weights of all weighted launches, shape (n, m).
    """
    corners = corner_weights(support.points)
    near = np.linalg.norm(corners[:, None, :] - tried[None, :, :], axis=2).min(axis=1)
    corners = corners[near > APART]
    if not len(corners):
        return None
    here = envelope(corners, support.points)
    bound = value_bounds(corners, support.weights, support.values(), support.most)
    width = (bound - here).round(9)
    widest = int(width.argmax())
    if width[widest] <= LEAST:
        return None
    weights = WeightVector.of(corners[widest])
    return Corner(weights, float(here[widest]), float(bound[widest]))


def left_to_win(support: Support) -> float:
    """Return the largest possible rise of a weighted sum at any corner, beyond the noise.

    Tried corners count too: the corner of a failed run is still open.
    """
    corners = corner_weights(support.points)
    sure = value_bounds(corners, support.weights, support.sure_values(), support.most)
    return float((sure - envelope(corners, support.points)).max())


def tried_weights(asked: Asked, m: int) -> FloatArray:
    """Return the weights of all weighted launches, shape (n, m)."""
    return np.array(sorted(asked.tried()), dtype=np.float64).reshape(-1, m)


def _mean_of_best(weights: FloatArray, points: FloatArray) -> FloatArray:
    sums = (points @ weights).round(9)
    return np.asarray(points[sums == sums.max()].mean(axis=0), dtype=np.float64)


def _launch(corner: Corner, names: Sequence[str], run_seed: int) -> Proposal:
    return Proposal(
        kind=LaunchKind.WEIGHTED,
        weights=corner.weights,
        seed=run_seed,
        reason="The corner where a weighted sum has most to win, "
        f"{preference(corner.weights, names)}: known policies come to {corner.here:.3g} of the "
        f"range, and no more than {corner.bound:.3g} is possible.",
        proposer="ols",
        tag="corner",
    )
