"""Finds the evaluated points that are most likely wrongly on the front, or wrongly off it.

All gains and errors here are normalised, as shares of the frozen ranges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paretoflow.core.values import FloatArray, History, IntArray
from paretoflow.front.hypervolume import improvement
from paretoflow.proposers.ranges import normalised, normalised_errors, normalised_ref
from paretoflow.proposers.spread import even_sample

EDGE = 2.0
"""Plausible error of a point, up or down, in standard errors."""
BEYOND = 4.0
"""Size of a difference, in standard errors, from which it is beyond doubt."""
LARGEST = 100
"""Largest number of points compared pair by pair; of more points, an even sample is used."""
DOUBTFUL = 0.01
"""Smallest chance to be wrong that makes a point doubtful."""
TINY = 1e-12
"""Replaces a standard error of zero, to avoid a division by zero."""


@dataclass(frozen=True)
class Doubts:
    """The points of a history that are not beyond doubt.

    Args:
        rows: Rows of the history, ascending, length k.
        on_front: Mask of the points that are now on the front.
        wrong: Chance that a point is wrongly on the front, or wrongly off it, shape (k,).
        stake: Hypervolume that depends on a point's gains, as a share of the ranges' box, shape
            (k,); 0 where the chance is below `DOUBTFUL`.
    """

    rows: IntArray
    on_front: NDArray[np.bool_]
    wrong: FloatArray
    stake: FloatArray

    @classmethod
    def of(cls, history: History) -> Doubts:
        """Return the doubtful points of a history; none without any standard error."""
        gains = normalised(history)
        stderr = np.nan_to_num(normalised_errors(history))
        rows = open_to_doubt(gains, stderr, even_sample(history.front, LARGEST))
        rows = even_sample(rows, LARGEST) if stderr.any() else rows[:0]
        on_front = np.isin(rows, history.front)
        gains, stderr = gains[rows], stderr[rows]
        ref = normalised_ref(history)
        wrong = wrong_chances(gains, stderr, on_front)
        stake = np.zeros(len(rows))
        doubtful = np.flatnonzero(wrong >= DOUBTFUL)
        stake[doubtful] = at_stake(gains, stderr, ref, doubtful)
        return cls(rows, on_front, wrong, stake)


def open_to_doubt(gains: FloatArray, stderr: FloatArray, front: IntArray) -> IntArray:
    """Return the rows that no point of the front dominates beyond doubt, ascending.

    Args:
        gains: Shape (n, m).
        stderr: Shape (n, m).
        front: Rows of the front, length f.
    """
    rows = np.arange(len(gains))
    for row in front.tolist():
        behind = gains[row] - gains[rows]
        margin = BEYOND * np.hypot(stderr[row], stderr[rows])
        rows = rows[~(behind > margin).all(axis=1)]
    return rows


def wrong_chances(gains: FloatArray, stderr: FloatArray, on_front: NDArray[np.bool_]) -> FloatArray:
    """Return the chance that each point is wrongly on the front, or wrongly off it, shape (n,).

    A point is on the front with the chance psi that no other point dominates it: the product over
    the others of 1 - P(dominates). P(dominates) is the product over the objectives of
    Phi((g' - g) / sqrt(s'^2 + s^2)). A point on the front is wrong with chance 1 - psi, a point off
    the front with psi.

    By hand, errors 0.6 and 0.8, so 1 for a difference: (1, 1) dominates (0, 0) with the chance
    Phi(1)^2 = 0.708; (0, 0) is wrongly off the front with 0.292, (1, 1) wrongly on it with
    Phi(-1)^2 = 0.025.

    Args:
        gains: Shape (n, m).
        stderr: Shape (n, m).
        on_front: Mask of the points that are now on the front, shape (n,).

    References:
        Lee, Chew, Teng and Goldsman 2010, Finding the non-dominated Pareto set for multi-objective
        simulation models (MOCBA), IIE Transactions 42(9): the performance index psi. Departures:
        (1) errors of two points count as independent, though common prompts make differences more
        certain, so the chances are on the high side; (2) the next evaluation is not allocated by
        the chances alone, see `reevaluate`.
    """
    from scipy.special import ndtr

    if not len(gains):
        return np.zeros(0)
    error = np.maximum(np.hypot(stderr[:, None], stderr[None]), TINY)
    ahead = np.asarray(ndtr((gains[None] - gains[:, None]) / error), dtype=np.float64)
    dominated = ahead.prod(axis=2)
    np.fill_diagonal(dominated, 0.0)
    free = (1 - dominated).prod(axis=1)
    wrong: FloatArray = np.where(on_front, 1 - free, free)
    return wrong


def at_stake(gains: FloatArray, stderr: FloatArray, ref: FloatArray, rows: IntArray) -> FloatArray:
    """Return the hypervolume that depends on the gains of each of some points, shape (k,).

    It is the hypervolume that the point adds to all others if it is `EDGE` standard errors better
    than measured, less the hypervolume that it adds if it is as much worse. In the second case,
    points that it dominates now may count again.

    By hand, against (0, 0) and with errors of a tenth: alone, (1, 1) is worth between 0.8^2 and
    1.2^2, so 0.8 are at stake; with (0.9, 0.9) behind it, of 0.81 at least, 0.63 are.

    Args:
        gains: Gains of all points, shape (n, m).
        stderr: Shape (n, m).
        ref: Reference point, shape (m,).
        rows: Rows of the points in question, length k.
    """
    stake = np.zeros(len(rows))
    for place, row in enumerate(rows.tolist()):
        edges = gains[row] + EDGE * np.stack([stderr[row], -stderr[row]])
        high, low = improvement(edges, np.delete(gains, row, axis=0), ref)
        stake[place] = high - low
    return stake
