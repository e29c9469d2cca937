"""Finds the place farthest from everything tried: in weight space, or among front points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paretoflow.core.ids import seed_of
from paretoflow.core.values import FloatArray, IntArray, LaunchKind, Proposal, WeightVector
from paretoflow.front.simplex import uniform_simplex
from paretoflow.proposers.asked import Asked, seed_for
from paretoflow.proposers.wording import preference

DRAWS = 256
"""Number of candidates for the widest gap of weight space; enough for a gap of any real size."""
TIE_DECIMALS = 9


def farthest_first(points: FloatArray, taken: FloatArray, count: int) -> list[int]:
    """Return up to `count` points, each the one farthest from all taken and chosen before.

    By hand: of 0, .25, .5, 1 on a line with 0 and 1 taken, .5 comes first, then .25.

    Args:
        points: Candidates, shape (n, m).
        taken: Places that count as chosen, shape (k, m); k may be 0.
        count: Largest number of points to choose.

    Returns:
        Indices of `points`; ties go to the lowest, and a copy of a taken place is never chosen.
    """
    nearest = np.full(len(points), np.inf)
    for place in taken:
        nearest = np.minimum(nearest, _distances(points, place))
    chosen: list[int] = []
    while len(chosen) < min(count, len(points)):
        index = int(nearest.argmax())
        if nearest[index] <= 0:
            break
        chosen.append(index)
        nearest = np.minimum(nearest, _distances(points, points[index]))
    return chosen


def spread_launch(
    asked: Asked, names: Sequence[str], seed: int, why: str, proposer: str
) -> Proposal:
    """Return a weighted launch in the widest gap between the weights tried so far.

    Args:
        asked: Every launch so far.
        names: Names of the m objectives.
        seed: Seed of the sweep.
        why: First half of the reason: why the proposer makes such a launch.
        proposer: Tag of the proposer.

    References:
        Mitchell (1991), Spectrally optimal sampling for distribution ray tracing: the best of many
        random candidates is the one farthest from all points so far.
    """
    m = len(names)
    run_seed = seed_for(seed, asked)
    draws = uniform_simplex(m, DRAWS, seed_of(run_seed, "spread"))
    tried = np.array(sorted(asked.tried()), dtype=np.float64).reshape(-1, m)
    weights = WeightVector.of(draws[_loneliest(draws, tried)])
    return Proposal(
        kind=LaunchKind.WEIGHTED,
        weights=weights,
        seed=run_seed,
        reason=f"{why}; trains the preference farthest from all tried so far: "
        f"{preference(weights, names)}.",
        proposer=proposer,
        tag="spread",
    )


def _loneliest(points: FloatArray, taken: FloatArray) -> int:
    """Return the index of the point whose nearest taken place is farthest; 0 when none is taken.

    Unlike in `farthest_first`, many are taken and one is chosen: all distances at once are faster.
    """
    if not len(taken):
        return 0
    squares = (points**2).sum(axis=1)[:, None] + (taken**2).sum(axis=1) - 2 * points @ taken.T
    return int(squares.min(axis=1).argmax())


def _distances(points: FloatArray, place: FloatArray) -> FloatArray:
    """Return distances to one place, rounded so that equal ones tie."""
    lengths = np.linalg.norm(points - place, axis=1)
    return np.asarray(lengths.round(TIE_DECIMALS), dtype=np.float64)


def even_sample(rows: IntArray, most: int) -> IntArray:
    """Return at most `most` of some rows, spread evenly over their order."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).round().astype(np.int64)]
