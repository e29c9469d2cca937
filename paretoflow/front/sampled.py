"""Hypervolumes of many similar fronts at once, estimated with common random points.

An exact hypervolume of 60 points takes a fifth of a second at eight objectives, so the thousand
redrawn fronts of a bootstrap would take minutes. Here all redrawn fronts are measured with the same
random points, and only where they differ: a region that all or none dominate needs no sample.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paretoflow.core.values import FloatArray
from paretoflow.front.hypervolume import hypervolume

TELLING = 32_768
"""Number of random points that distinguish fronts, after which no more are drawn. The own
error of the estimates is then a tenth to a fifth of the spread of the fronts, which hardly widens
an interval."""
MOST = 524_288
"""Largest number of random points in all, reached where few of them distinguish fronts."""
CHUNK = 16_384
"""Number of random points processed together: bounds the memory to some 100 MB."""

_Words = NDArray[np.uint64]


def sampled_hypervolumes(
    fronts: FloatArray, observed: FloatArray, ref: FloatArray, *, seed: int
) -> FloatArray:
    """Return the hypervolume of each front: the exact one of the observed front plus a change.

    The change is estimated. The random points are drawn from the union of k boxes, each from the
    reference point to the best gains that a point has in any front. A box is chosen in proportion
    to its volume, and a random point inside several boxes counts for less. So the estimates of a
    front's volume, and of its difference to the observed front, are unbiased.

    By hand: fronts that equal the observed one have its exact hypervolume.

    Args:
        fronts: Oriented gains of every redrawn front, shape (d, k, m).
        observed: Oriented gains of the observed front, shape (k, m).
        ref: Oriented reference point, shape (m,).
        seed: Seed of the random points.

    Returns:
        Hypervolumes, shape (d,), never negative.

    References:
        Karp, Luby and Madras (1989), Monte-Carlo approximation algorithms for enumeration problems
        (the union of sets); Bringmann and Friedrich (2010), Approximating the volume of unions and
        intersections of high-dimensional geometric objects. Ours: common random points for all
        fronts, and the exact volume of one of them.
    """
    every = np.concatenate([observed[None], fronts]) - ref
    best, worst = every.max(axis=0), every.min(axis=0)
    volumes = np.where((best > 0).all(axis=1), np.prod(np.maximum(best, 0.0), axis=1), 0.0)
    exact = hypervolume(observed, ref)
    if not volumes.any():
        return np.full(len(fronts), exact)
    rng = np.random.default_rng(seed)
    tables = [_Thresholds(gains) for gains in every.swapaxes(0, 1)]
    shares, points, telling = np.zeros(len(every)), 0, 0
    while telling < TELLING and points < MOST:
        chosen = rng.choice(len(volumes), size=CHUNK, p=volumes / volumes.sum())
        drawn = rng.random((CHUNK, len(ref))) * best[chosen]
        drawn = drawn[~_inside(worst, drawn).any(axis=0)]
        shares += _dominated_shares(tables, drawn, _inside(best, drawn))
        points, telling = points + CHUNK, telling + len(drawn)
    changes = (shares[1:] - shares[0]) * volumes.sum() / points
    return np.asarray(np.maximum(exact + changes, 0.0), dtype=np.float64)


def sampled_subsets(
    points: FloatArray, members: NDArray[np.bool_], ref: FloatArray, *, seed: int
) -> FloatArray:
    """Return the hypervolume of subsets of points: exact for all points, less an estimated loss.

    By hand: the subset of all points has the exact hypervolume; an empty subset has about 0.

    Args:
        points: Oriented gains, shape (k, m).
        members: Mask of the points of each subset, shape (d, k).
        ref: Oriented reference point, shape (m,).
        seed: Seed of the random points, drawn as in `sampled_hypervolumes`.

    Returns:
        Hypervolumes, shape (d,), never negative.
    """
    boxes = points - ref
    volumes = np.where((boxes > 0).all(axis=1), np.prod(np.maximum(boxes, 0.0), axis=1), 0.0)
    exact = hypervolume(points, ref)
    if not volumes.any():
        return np.full(len(members), exact)
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(volumes), size=CHUNK, p=volumes / volumes.sum())
    holds = _inside(boxes, rng.random((CHUNK, len(ref))) * boxes[chosen])
    # how many members hold each random point: none means that the subset lost it
    held = holds.T.astype(np.float32) @ members.T.astype(np.float32)
    lost = (1.0 / holds.sum(axis=0)) @ (held == 0)
    return np.asarray(np.maximum(exact - lost * volumes.sum() / CHUNK, 0.0), dtype=np.float64)


def _dominated_shares(
    tables: list[_Thresholds], drawn: FloatArray, holds: NDArray[np.bool_]
) -> FloatArray:
    """Return how many random points each front dominates, each point counted once, shape (d,)."""
    dominated = np.zeros((len(drawn), tables[0].words), dtype=np.uint64)
    for table, inside in zip(tables, holds, strict=True):
        dominated[inside] |= table.passed(drawn[inside])
    bits = np.unpackbits(
        dominated.view(np.uint8), axis=1, count=tables[0].fronts, bitorder="little"
    )
    return np.asarray((1.0 / holds.sum(axis=0)) @ bits, dtype=np.float64)


def _inside(corners: FloatArray, drawn: FloatArray) -> NDArray[np.bool_]:
    """Return a mask of the random points that each box holds, shape (k, s)."""
    found = np.ones((len(corners), len(drawn)), dtype=bool)
    for of_corner, of_point in zip(corners.T, drawn.T, strict=True):
        found &= of_corner[:, None] >= of_point
    return found


class _Thresholds:
    """Finds the fronts in which one point dominates given places, as sets of bits.

    Sorted by one gain of the point, the fronts that reach a place are all those from some position
    on. That set is looked up for each objective; the point dominates in the intersection.

    Args:
        gains: The point's gains in each front, shape (d, m).
    """

    def __init__(self, gains: FloatArray) -> None:
        d, m = gains.shape
        self.fronts, self.words = d, -(-d // 64)
        order = np.argsort(gains, axis=0)
        self._sorted = np.take_along_axis(gains, order, axis=0)
        own = np.zeros((m, d + 1, self.words), dtype=np.uint64)
        rows, columns = np.arange(d)[:, None], np.arange(m)[None, :]
        own[columns, rows, order // 64] = np.uint64(1) << (order % 64).astype(np.uint64)
        self._from = np.bitwise_or.accumulate(own[:, ::-1], axis=1)[:, ::-1]

    def passed(self, places: FloatArray) -> _Words:
        """Return the fronts in which the point dominates each place, shape (s, words)."""
        found = np.full((len(places), self.words), ~np.uint64(0))
        for ascending, sets, of_place in zip(self._sorted.T, self._from, places.T, strict=True):
            found &= sets[np.searchsorted(ascending, of_place)]
        return found
