"""Multi-objective successive halving: which of the runs that came as far as a rung go on.

A rung is a number of optimiser steps. The best of the checkpoints there go on, one in `reduction`:
first by non-dominated rank; inside a rank by an order that takes far-apart points first, so that
what goes on still shows the whole trade-off. Nothing here knows runs, ledgers or time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from paretoflow.core.values import IntArray
from paretoflow.front.checks import gains_array
from paretoflow.front.dominance import ranks

NOISE = 1.0
"""Standard errors of a difference within which two gains count as equal."""


def rung_steps(first: int, reduction: int, steps: int) -> tuple[int, ...]:
    """Return the rungs of runs of `steps` steps, all before the end.

    By hand: from 10 by thirds, a run of 100 steps meets rungs at 10, 30 and 90.

    Args:
        first: Steps of the first rung, at least 1.
        reduction: Each rung is so many times as far as the one before, at least 2.
        steps: Of a whole run.
    """
    found: list[int] = []
    while first < steps:
        found.append(first)
        first *= reduction
    return tuple(found)


def spread_order(points: ArrayLike) -> IntArray:
    """Return an order of points in which each is as far as can be from all before it.

    The first is the one with the largest sum; of equals the earlier row comes first.

    By hand: of (0, 4), (1, 3.5), (3, 3), (4, 0) the third has the largest sum, 6. From it the
    squared distances are 10, 4.25 and 10: the first of the two farthest, row 0, is next. Row 3
    then is 10 from the nearest of both, row 1 is 1.25: the order is 2, 0, 3, 1.

    Args:
        points: Shape (n, m), in units that make the objectives comparable.

    Returns:
        Row numbers, shape (n,).

    Raises:
        ShapeError: If `points` is not a matrix.
        NonFiniteError: If a row holds nan or infinity.

    References:
        Clarkson (2005), Nearest-neighbor searching and metric space dimensions, p. 17: the greedy
        permutation. The first point is free there; Schmucker et al. (2021), arXiv 2106.12639, draw
        it, or take the best in an objective that is named.
    """
    array = gains_array(points)
    order = np.zeros(len(array), dtype=np.int64)
    nearest = np.full(len(array), np.inf)
    for place in range(len(array)):
        # summed in ascending order, so that the objectives' order changes no last digit
        chosen = int(np.argmax(nearest if place else np.sort(array, axis=1).sum(axis=1)))
        order[place] = chosen
        squares = np.sort((array - array[chosen]) ** 2, axis=1).sum(axis=1)
        nearest = np.minimum(nearest, squares)
        nearest[chosen] = -np.inf
    return order


def halving_order(gains: ArrayLike) -> IntArray:
    """Return checkpoints from the first to go on to the last: by rank, then far apart first.

    By hand: of (0, 4), (1, 3.5), (3, 3), (4, 0), (2, 2) the last is dominated by (3, 3); the others
    are a front, ordered as in `spread_order`: 2, 0, 3, 1, and then 4.

    Args:
        gains: Of one checkpoint of each run, in shares of the frozen ranges, shape (n, m).

    Returns:
        Row numbers, shape (n,).

    Raises:
        ShapeError: If `gains` is not a matrix.
        NonFiniteError: If a row holds nan or infinity.

    References:
        Schmucker et al. (2021), Multi-objective asynchronous successive halving, arXiv 2106.12639,
        with the epsilon-net inside a front. Departures: gains are in shares of ranges that never
        change, where the paper has raw metrics; nothing is drawn.
    """
    array = gains_array(gains)
    rank = ranks(array)
    fronts = (np.flatnonzero(rank == level) for level in range(int(rank.max(initial=-1)) + 1))
    parts = [front[spread_order(array[front])] for front in fronts]
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts])


def quota(count: int, reduction: int) -> int:
    """Return how many of `count` runs go on: one in `reduction`, rounded up.

    The first to arrive goes on, as there is nothing to compare it with. The published rule rounds
    down: nobody goes on before there are `reduction` of them.
    """
    return -(-count // reduction)


def ahead(
    gains: ArrayLike,
    stderr: ArrayLike,
    front: ArrayLike,
    front_stderr: ArrayLike,
    noise: float = NOISE,
) -> IntArray:
    """Return the points of a front that dominate another by more than the noise of evaluation.

    Such a point is larger in every objective by `noise` standard errors of the difference; where
    neither has any, it dominates as usual. What nothing is ahead of is on the front, or cannot be
    told from it.

    By hand: with errors of 0.03 and 0.04 a difference has one of 0.05. So (0.50, 0.50) is behind
    (0.56, 0.56), and behind neither (0.56, 0.54) nor (0.90, 0.49).

    Args:
        gains: Of the point in question, shape (m,).
        stderr: Standard error of each of its gains, shape (m,).
        front: Gains of the front, shape (k, m).
        front_stderr: Their standard errors, shape (k, m).
        noise: In standard errors.

    Returns:
        Row numbers of the front in ascending order.

    Raises:
        ShapeError: If `front` is not a matrix.
        NonFiniteError: If a row of it holds nan or infinity.
    """
    lead = gains_array(front, name="front") - np.asarray(gains, dtype=np.float64)
    clear = lead >= noise * np.hypot(np.asarray(front_stderr), np.asarray(stderr))
    return np.flatnonzero(clear.all(axis=1) & (lead > 0).any(axis=1))
