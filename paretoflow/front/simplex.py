"""Preference weights: lattices and draws on the simplex, and the order in which to try them.

Numpy and the standard library only: checking a spec shows the plan, and must not load pymoo.
"""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import ArrayLike

from paretoflow.core.errors import ShapeError
from paretoflow.core.values import FloatArray, IntArray
from paretoflow.front.checks import gains_array

MAX_LATTICE = 1_000_000
TIE_DECIMALS = 9


def das_dennis(m: int, divisions: int) -> FloatArray:
    """Return the lattice of all weights that are multiples of 1 / divisions.

    By hand: m = 2, divisions = 2 gives (0, 1), (.5, .5), (1, 0).

    Args:
        m: Number of objectives, at least 1.
        divisions: Steps along each edge, at least 1.

    Returns:
        Weights, shape (k, m) with k = C(divisions + m - 1, m - 1), in lexicographic order.

    Raises:
        ShapeError: If m or divisions is below 1, or the lattice would have more than a million
            points.

    References:
        Das and Dennis (1998), Normal-boundary intersection, SIAM J. Optim. 8(3), sec. 6.
    """
    if m < 1 or divisions < 1:
        raise ShapeError(f"a lattice needs m >= 1 and divisions >= 1, got {m} and {divisions}")
    count = comb(divisions + m - 1, m - 1)
    if count > MAX_LATTICE:
        raise ShapeError(
            f"a lattice of m = {m}, divisions = {divisions} has {count} points, over {MAX_LATTICE}",
            hint="draw uniform weights instead",
        )
    # stars and bars: m - 1 bars among the positions; the gaps between bars are the integer weights
    slots = divisions + m - 1
    bars = np.array(list(combinations(range(slots), m - 1)), dtype=np.int64).reshape(count, m - 1)
    edges = np.hstack([np.full((count, 1), -1), bars, np.full((count, 1), slots)])
    return np.asarray((np.diff(edges, axis=1) - 1) / divisions, dtype=np.float64)


def lattice_at_least(m: int, count: int) -> FloatArray:
    """Return the coarsest lattice with at least `count` points, (k, m); one point for m = 1.

    Raises:
        ShapeError: If m or count is below 1, or the lattice would have more than a million points.
    """
    if m < 1 or count < 1:
        raise ShapeError(f"a lattice needs m >= 1 and count >= 1, got {m} and {count}")
    divisions = 1
    while m > 1 and comb(divisions + m - 1, m - 1) < count:
        divisions += 1
    return das_dennis(m, divisions)


def spread_order(weights: ArrayLike) -> IntArray:
    """Return an order from coarse to fine: any first part of it covers the simplex evenly.

    The corners come first: for each objective in turn, the weights that favour it most. Then
    follow the weights farthest from all chosen so far. Ties go to the lowest index.

    By hand: 0, .25, .5, .75, 1 on an edge are tried as 1, 0, .5, .25, .75 by their first weight.

    Args:
        weights: Points on the simplex, shape (k, m).

    Returns:
        A permutation of 0..k-1, shape (k,).

    Raises:
        ShapeError: If `weights` is not a matrix.
        NonFiniteError: If a row holds nan or infinity.
    """
    points = gains_array(weights, name="weights")
    order = list(dict.fromkeys(int(i) for i in points.argmax(axis=0))) if len(points) else []
    nearest = np.full(len(points), np.inf)
    for chosen in order:
        nearest = np.minimum(nearest, _distances(points, chosen))
    left = np.ones(len(points), dtype=np.bool_)
    left[order] = False
    while left.any():
        chosen = int(np.where(left, nearest, -1.0).argmax())
        order.append(chosen)
        left[chosen] = False
        nearest = np.minimum(nearest, _distances(points, chosen))
    return np.array(order, dtype=np.int64)


def uniform_simplex(m: int, count: int, seed: int) -> FloatArray:
    """Return weights drawn uniformly from the simplex: the Dirichlet distribution with all ones.

    The gaps between m - 1 sorted uniform numbers on (0, 1) have this distribution.

    Args:
        m: Number of objectives, at least 1.
        count: Number of draws, at least 0.
        seed: Seed of the draws; a longer draw begins with the shorter one.

    Returns:
        Weights, shape (count, m).

    Raises:
        ShapeError: If m is below 1 or count is negative.
    """
    if m < 1 or count < 0:
        raise ShapeError(f"draws need m >= 1 and count >= 0, got {m} and {count}")
    return _gaps(np.random.default_rng(seed).random((count, m - 1)))


def even_simplex(m: int, count: int) -> FloatArray:
    """Return weights spread evenly and uniformly over the simplex, without any randomness.

    The weights are the gaps of a Kronecker sequence instead of random numbers: the mean largest
    weight over 256 of them is four times nearer its true value than over 256 draws. Unlike a
    lattice they do not favour corners.

    Args:
        m: Number of objectives, at least 1.
        count: Number of weights, at least 0.

    Returns:
        Weights, shape (count, m).

    Raises:
        ShapeError: If m is below 1 or count is negative.

    References:
        Niederreiter (1992), Random number generation and quasi-Monte Carlo methods, ch. 3, with the
        steps 1 / g, 1 / g^2, … for g the positive root of g^m = g + 1 (d = m - 1 dimensions).
    """
    if m < 1 or count < 0:
        raise ShapeError(f"weights need m >= 1 and count >= 0, got {m} and {count}")
    root = 2.0
    for _ in range(64):
        root = (1.0 + root) ** (1.0 / max(m, 2))
    steps = root ** -np.arange(1, m, dtype=np.float64)
    return _gaps((0.5 + np.arange(1, count + 1)[:, None] * steps) % 1.0)


def symmetric_simplex(m: int, count: int) -> FloatArray:
    """Return at least `count` weights spread evenly over the simplex, alike for every objective.

    The weights are a lattice of H divisions moved inwards, (k_i + c) / (H + m c). c is such that
    the variance of each weight is exactly that of the uniform distribution: H (H + m) =
    (H + m c)^2. Permuting the objectives permutes the rows, so means and covariances are exact,
    too.

    By hand: m = 2 with 2 weights has H = 1, c = (sqrt(3) - 1) / 2 = .366, and so (.211, .789) and
    (.789, .211), whose variance is (.289)^2 = 1 / 12.

    Args:
        m: Number of objectives, at least 1.
        count: Number of weights, at least 1.

    Returns:
        Weights, shape (k, m), with k the size of the coarsest lattice that is large enough.

    Raises:
        ShapeError: If m or count is below 1, or the lattice would have more than a million points.
    """
    lattice = lattice_at_least(m, count)
    smallest = lattice[lattice > 0].min()
    divisions = round(1 / float(smallest))
    shift = np.sqrt(divisions * (divisions + m)) - divisions
    return np.asarray((lattice * divisions + shift / m) / (divisions + shift), dtype=np.float64)


def _gaps(numbers: FloatArray) -> FloatArray:
    """Return the gaps between 0, the sorted numbers of each row, and 1."""
    ordered = np.sort(numbers, axis=1)
    return np.diff(ordered, axis=1, prepend=0.0, append=1.0)


def _distances(points: FloatArray, chosen: int) -> FloatArray:
    """Return distances to one point, rounded so that equal ones tie despite floating-point sums."""
    lengths = np.linalg.norm(points - points[chosen], axis=1)
    return np.asarray(lengths.round(TIE_DECIMALS), dtype=np.float64)
