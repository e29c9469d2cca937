"""Multi-objective successive halving: selects the runs that are promoted from a rung.

A rung is a number of optimiser steps. One checkpoint in `reduction` is promoted: first by
non-dominated rank; inside a rank by an order that takes far-apart points first, so that the
promoted runs still show the whole trade-off. Nothing here depends on runs, ledgers or time.
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
        reduction: Ratio of the steps of a rung to those of the rung before, at least 2.
        steps: Number of steps of a whole run.
    """
    found: list[int] = []
    while first < steps:
        found.append(first)
        first *= reduction
    return tuple(found)


def spread_order(points: ArrayLike) -> IntArray:
    """Return an order of points in which each is as far as possible from all before it.

    The first point is the one with the largest sum. Of equal points the earlier row comes first.

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
        permutation. There the first point is free; Schmucker et al. (2021), arXiv 2106.12639, draw
        it, or take the best point in a named objective.
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
    """Return the order in which checkpoints are promoted: by rank, then far-apart points first.

    By hand: of (0, 4), (1, 3.5), (3, 3), (4, 0), (2, 2) the last is dominated by (3, 3); the others
    are a front, ordered as in `spread_order`: 2, 0, 3, 1, and then 4.

    Args:
        gains: Gains of one checkpoint of each run, in shares of the frozen ranges, shape (n, m).

    Returns:
        Row numbers, shape (n,).

    Raises:
        ShapeError: If `gains` is not a matrix.
        NonFiniteError: If a row holds nan or infinity.

    References:
        Schmucker et al. (2021), Multi-objective asynchronous successive halving, arXiv 2106.12639,
        with the epsilon-net inside a front. Departures: gains are in shares of ranges that never
        change, where the paper has raw metrics; no point is drawn at random.
    """
    array = gains_array(gains)
    rank = ranks(array)
    fronts = (np.flatnonzero(rank == level) for level in range(int(rank.max(initial=-1)) + 1))
    parts = [front[spread_order(array[front])] for front in fronts]
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts])


def quota(count: int, reduction: int) -> int:
    """Return how many of `count` runs are promoted: one in `reduction`, rounded up.

    The first run to arrive is promoted, as there is nothing to compare it with. The published rule
    rounds down: no run is promoted before `reduction` runs have arrived.
    """
    return -(-count // reduction)


def ahead(
    gains: ArrayLike,
    stderr: ArrayLike,
    front: ArrayLike,
    front_stderr: ArrayLike,
    noise: float = NOISE,
) -> IntArray:
    """Return the points of a front that dominate a given point by more than evaluation noise.

    Such a point is larger in every objective by `noise` standard errors of the difference; where
    neither has an error, it dominates as usual. A point with none ahead of it is on the front, or
    cannot be distinguished from it.

    By hand: with errors of 0.03 and 0.04 a difference has one of 0.05. So (0.50, 0.50) is behind
    (0.56, 0.56), and behind neither (0.56, 0.54) nor (0.90, 0.49).

    Args:
        gains: Gains of the given point, shape (m,).
        stderr: Standard error of each of its gains, shape (m,).
        front: Gains of the front, shape (k, m).
        front_stderr: Standard errors of the front's gains, shape (k, m).
        noise: Required lead, in standard errors.

    Returns:
        Row numbers of the front in ascending order.

    Raises:
        ShapeError: If `front` is not a matrix.
        NonFiniteError: If a row of the front holds nan or infinity.
    """
    lead = gains_array(front, name="front") - np.asarray(gains, dtype=np.float64)
    clear = lead >= noise * np.hypot(np.asarray(front_stderr), np.asarray(stderr))
    return np.flatnonzero(clear.all(axis=1) & (lead > 0).any(axis=1))
