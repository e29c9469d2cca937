"""`gp_hvi`: the weights whose run a Gaussian process expects to add the most hypervolume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from paretoflow.core.values import (
    FloatArray,
    History,
    LaunchKind,
    Problem,
    Proposal,
)
from paretoflow.front.orient import scores_of
from paretoflow.front.simplex import das_dennis, even_simplex
from paretoflow.proposers.asked import Asked, Choose, seed_for
from paretoflow.proposers.belief import KnownRuns, Promise, belief_of, best_promise, known_runs
from paretoflow.proposers.boxes import landscape, largest_box
from paretoflow.proposers.empty_box import box_launch
from paretoflow.proposers.extremes import extreme_launch
from paretoflow.proposers.initial import SPARE_SHARE, initial_count, initial_launch
from paretoflow.proposers.ranges import scale_of
from paretoflow.proposers.spread import spread_launch
from paretoflow.proposers.stepwise import StepwiseProposer
from paretoflow.proposers.wording import preference
from paretoflow.spec.proposers import GpHviProposerSpec

LATTICE = {2: 100, 3: 12, 4: 6}
"""Divisions of the lattice of candidates, by m; beyond four objectives they are spread evenly."""
MANY_OBJECTIVES = 5
"""Number of objectives from which gaps are not used: pairs of points say little about them."""
EVEN = 128
MIDDLES = 64
"""Number of candidates half-way between neighbouring runs: the lattice is too coarse where weights
differ little and outcomes much."""
APART = 1e-3
"""Distance below which a candidate repeats a launch."""


class GpHviProposer(StepwiseProposer):
    """Takes the weights that are expected to add the most hypervolume, or a gap that adds more.

    After the opening stage, a Gaussian process for each objective predicts the outcome of a run at
    given weights. It is fitted to the last evaluation of each weighted run: the best of several
    checkpoints would in part be luck. The expected gain of a candidate is the mean over its likely
    outcomes, each clipped to the bounds that runs at other weights set. An outcome whose weighted
    sum does not rise above the known points counts for half at most: such a run tends to end at a
    known policy, and on a concave front it always does. Pending launches are expected to reach
    their means, if these rise. The front consists of the estimated true outcomes of the runs, so
    that a lucky score does not block its neighbours.

    The largest gap between the points of the front is tried instead, by a constrained launch, if
    the middle of its box would add more than the sure gain of weights, which counts only outcomes
    that rise by more than the doubt.

    By hand: ends (1, 0) and (0, 1), reference (0, 0), equal weights that lead to (.75, .75) and a
    doubt of .1: that adds .75^2 = .5625 and rises by (.75 - .5) / .1 = 2.5 doubts, so it is sure.
    If they lead to (.5, .5), on the line between the ends, that would add .25 and does not rise:
    the likely gain is .125, the sure gain 0. The middle of the box would add .25, and is chosen.

    Args:
        spec: Its options.
        m: Number of objectives.
        runs: Runs of the sweep.

    References:
        Emmerich, Giannakoglou and Naujoks 2006, IEEE Trans. Evol. Comput. 10(4), 421-439: expected
        hypervolume improvement. Ginsbourger, Le Riche and Carraro 2010, sec. 4.2: Kriging believer.
        Departures: (1) weights are the inputs and runs maximise a weighted sum, hence the clipping
        and the count by rise; (2) a grid of outcomes replaces the integral, and beyond three
        objectives the outcome one deviation above the mean; (3) gaps, as described.
    """

    def __init__(self, spec: GpHviProposerSpec, *, m: int, runs: int) -> None:
        super().__init__()
        self._initial = initial_count(m, spec.initial)
        self._spare = max(self._initial, runs // SPARE_SHARE)
        self._constrained = spec.constrained and m < MANY_OBJECTIVES
        self._slack = spec.slack

    def _chooser(self, history: History, seed: int) -> Choose:
        """Return the chooser of one launch; it returns None only while the opening stage trains."""
        names = history.problem.names
        known = cache(lambda: known_runs(history))

        def choose(asked: Asked, pending: Sequence[Proposal]) -> Proposal | None:
            first = initial_launch(asked, self._initial, names, seed, "gp_hvi")
            if first is not None:
                return first
            end = extreme_launch(history, asked, seed, "gp_hvi") if self._constrained else None
            if end is not None:
                return end
            opening = any(p.tag == "initial" for p in pending)
            early = opening and len(history.runs) < self._initial
            if early or not len(known().rows):
                if opening and len(asked) >= self._spare:
                    return None
                why = "No run tells yet what weights come to"
                return spread_launch(asked, names, seed, why, "gp_hvi")
            return self._informed(known(), history, asked, pending, seed)

        return choose

    def _informed(
        self,
        known: KnownRuns,
        history: History,
        asked: Asked,
        pending: Sequence[Proposal],
        seed: int,
    ) -> Proposal:
        """Return the launch with the largest promise, of the model or of a gap."""
        land = landscape(history, asked, pending)
        belief = belief_of(known, land, pending)
        promise = best_promise(belief, candidates(asked, known.weights))
        way = largest_box(land, self._slack) if self._constrained else None
        run_seed = seed_for(seed, asked)
        least = promise.sure if promise is not None else 0.0
        if way is not None and belief.gain_of(way) > least:
            launch = box_launch(way, land, history, run_seed, "gp_hvi")
            reason = launch.reason[0].lower() + launch.reason[1:]
            return replace(launch, reason=f"Weights surely add no more than {least:.1%}; {reason}")
        if promise is None:
            why = "No preference is expected to add anything"
            return spread_launch(asked, history.problem.names, seed, why, "gp_hvi")
        return weighted_launch(promise, history, run_seed)


def candidates(asked: Asked, known: FloatArray) -> FloatArray:
    """Return weights to choose from, shape (k, m): a lattice, and half-way between known weights.

    Args:
        asked: Every launch so far; candidates that repeat one are left out.
        known: Weights of the runs in the model, shape (n, m).
    """
    m = known.shape[1]
    tried = np.array(sorted(asked.tried()), dtype=np.float64).reshape(-1, m)
    grid = das_dennis(m, LATTICE[m]) if m in LATTICE else even_simplex(m, EVEN)
    near = np.argsort(_distances(known, known), axis=1, kind="stable")[:, 1 : m + 1]
    middles = np.unique((known[:, None] + known[near]).reshape(-1, m) / 2, axis=0)
    apart = _distances(middles, tried).min(axis=1, initial=np.inf)
    widest = np.sort(np.argsort(-apart.round(9), kind="stable")[:MIDDLES])
    both = np.vstack([grid, middles[widest]])
    fresh = _distances(both, tried).min(axis=1, initial=np.inf) > APART
    return np.asarray(both[fresh], dtype=np.float64)


def _distances(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return distances between rows, shape (k, n)."""
    squares = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1) - 2 * first @ second.T
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)), dtype=np.float64)


def weighted_launch(promise: Promise, history: History, run_seed: int) -> Proposal:
    """Return the launch with the weights of a promise, with its reason."""
    names = history.problem.names
    return Proposal(
        kind=LaunchKind.WEIGHTED,
        weights=promise.weights,
        seed=run_seed,
        reason=f"Of all preferences, {preference(promise.weights, names)} is expected to add the "
        f"most hypervolume, {promise.likely:.1%} of the ranges' product, by coming to "
        f"{_expectation(promise, history.problem, history)}.",
        proposer="gp_hvi",
        tag="model",
    )


def _expectation(promise: Promise, problem: Problem, history: History) -> str:
    """Return the expected scores in words, for instance `coverage 0.61 ± 0.04, length 35 ± 2`."""
    scale = scale_of(history)
    scores = scores_of(history.nadir + promise.mean * scale, problem)
    parts = zip(problem.names, scores, promise.sd * scale, strict=True)
    return ", ".join(f"{name} {score:.3g} ± {sd:.2g}" for name, score, sd in parts)
