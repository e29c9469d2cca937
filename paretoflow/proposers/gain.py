"""Hypervolume that each of many candidates would add to a front.

The region that a front leaves open is cut once into boxes that do not overlap. The gain of a point
is then a sum over boxes, for thousands of points at once. With many objectives or points there are
too many boxes; then `front.hypervolume.improvement` is used instead, point by point.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product
from math import comb

import numpy as np

from paretoflow.core.values import FloatArray
from paretoflow.front.dominance import nondominated
from paretoflow.front.hypervolume import improvement
from paretoflow.proposers.spread import farthest_first

MOST_CELLS = 500
"""Largest number of cells; beyond, points are computed one by one. Both ways are equally fast at
about this number."""
MOST_POINTS, MOST_PAIRS = 64, 256
"""Largest number of front points, far from each other; the second is for two objectives, where more
points cost little."""
BLOCK = 1_000_000
"""Number of values in memory at once, for each side of the cells."""


@dataclass(frozen=True)
class OpenRegion:
    """Region above a reference point that no point of a front dominates.

    Args:
        front: Shape (n, m), mutually non-dominated, a well spread part of it if it is large.
        ref: Shape (m,).
        lowers: Lower corners of cells that do not overlap and fill the region, shape (c, m); no
            rows if there would be too many.
        uppers: Upper corners, shape (c, m), infinite where a cell is unbounded.
    """

    front: FloatArray
    ref: FloatArray
    lowers: FloatArray
    uppers: FloatArray

    @property
    def is_cut(self) -> bool:
        """Return whether the region is cut into cells, so that many points are computed at once."""
        return len(self.lowers) > 0

    @classmethod
    def beyond(cls, gains: FloatArray, ref: FloatArray) -> OpenRegion:
        """Return the region that gains (n, m) leave open; some may be dominated."""
        front, m = gains[nondominated(gains)], len(ref)
        front = front[farthest_first(front, front[:0], MOST_POINTS if m > 2 else MOST_PAIRS)]
        n = len(front)
        few = comb(n + m - 1, m - 1) <= MOST_CELLS
        none = np.empty((0, m))
        return cls(front, ref, *(open_cells(front, ref) if few else (none, none)))

    def gains(self, points: FloatArray) -> FloatArray:
        """Return the hypervolume that each point alone, shape (..., m), would add."""
        flat = points.reshape(-1, len(self.ref))
        if not self.is_cut:
            return improvement(flat, self.front, self.ref).reshape(points.shape[:-1])
        size = max(1, BLOCK // len(self.lowers))
        parts = [self._covered(flat[i : i + size]) for i in range(0, len(flat), size)]
        return np.concatenate(parts).reshape(points.shape[:-1]) if parts else np.empty(0)

    def _covered(self, points: FloatArray) -> FloatArray:
        volume = np.ones((len(points), len(self.lowers)))
        for i, column in enumerate(points.T):
            side = np.minimum(column[:, None], self.uppers[:, i]) - self.lowers[:, i]
            volume *= np.maximum(side, 0.0)
        return np.asarray(volume.sum(axis=1), dtype=np.float64)


def open_cells(front: FloatArray, ref: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cut the region that a front leaves open into cells, by slabs of the last objective.

    By hand: (2, 1) and (1, 2) against (0, 0) leave, from the lowest slab of the second to the
    highest, the first above 2, above 1, and above 0.

    Args:
        front: Shape (n, m); dominated points only make more cells.
        ref: Shape (m,).

    Returns:
        Lower and upper corners, each of shape (c, m), with at most C(n + m - 1, m - 1) cells when
        no point is dominated.
    """
    if len(ref) == 1:
        top = max(float(ref[0]), float(front.max(initial=-np.inf)))
        return np.array([[top]]), np.array([[np.inf]])
    last = front[:, -1]
    edges = np.append(np.unique(np.append(last[last > ref[-1]], ref[-1])), np.inf)
    lowers, uppers = [], []
    for low, high in pairwise(edges.tolist()):
        inside = front[last > low][:, :-1]
        part = inside[nondominated(inside)] if len(ref) > 2 else inside
        below, above = open_cells(part, ref[:-1])
        lowers.append(np.column_stack([below, np.full(len(below), low)]))
        uppers.append(np.column_stack([above, np.full(len(above), high)]))
    return np.vstack(lowers), np.vstack(uppers)


def outcome_grid(m: int) -> tuple[FloatArray, FloatArray]:
    """Return likely outcomes in standard deviations from the mean, (s, m), and their odds, (s,).

    They are the three Gauss-Hermite nodes of each objective, 0 with odds 2/3 and ± sqrt(3) with 1/6
    each, in all combinations. They give the exact mean of any polynomial of degree five in each
    objective, need no random numbers, and are the same for permuted objectives.
    """
    steps = np.array([-(3.0**0.5), 0.0, 3.0**0.5])
    odds = np.array([1.0, 4.0, 1.0]) / 6
    grid = np.array(list(product(range(3), repeat=m)))
    return steps[grid], np.asarray(odds[grid].prod(axis=1), dtype=np.float64)
