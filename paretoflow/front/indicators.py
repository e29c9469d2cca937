"""Indicators of the quality of a front, beside the hypervolume.

Larger is better for `eum`, `coverage` and `cardinality`, smaller for `igd_plus` and
`epsilon_additive`. None of them normalises: pass gains normalised by the frozen ideal and nadir
where objectives differ in units.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from paretoflow.core.errors import ShapeError
from paretoflow.core.values import FloatArray
from paretoflow.front.checks import gains_array
from paretoflow.front.dominance import nondominated
from paretoflow.front.pymoo_bridge import pymoo_igd_plus
from paretoflow.front.simplex import symmetric_simplex

EUM_GRID = "simplex-symmetric-256"
"""Name of the grid that `eum_grid` returns; report it beside every expected utility."""


def eum_grid(m: int) -> FloatArray:
    """Return the grid named `EUM_GRID`: weights spread evenly over the simplex, (r, m), r >= 256.

    Coarse lattices are mostly corners and inflate the expected utility by half on known fronts;
    this grid has no corners. All objectives count equally: permuting the objectives of a front
    does not change its expected utility.

    Raises:
        ShapeError: If m is below 1.
    """
    return symmetric_simplex(m, 256)


def eum(gains: ArrayLike, weights: ArrayLike) -> float:
    """Return the expected utility: the mean over weights of the best weighted sum on the front.

    By hand: (1, 0) and (0, 1) over the weights (1, 0), (.5, .5), (0, 1) give (1 + .5 + 1) / 3.

    Args:
        gains: Oriented scores, shape (n, m) with n at least 1.
        weights: Preferences to average over, shape (r, m); `eum_grid` unless another grid is named.

    Returns:
        Expected utility; not invariant to shifting or scaling an objective.

    Raises:
        ShapeError: If there is no point or no weight, or they do not fit each other.
        NonFiniteError: If either holds nan or infinity.

    References:
        Zintgraf et al. (2015), Quality assessment of MORL algorithms: a utility-based approach.
    """
    array, grid = _pair(gains, weights, "weights")
    return float((array @ grid.T).max(axis=0).mean())


def igd_plus(gains: ArrayLike, reference: ArrayLike) -> float:
    """Return the mean distance by which gains fall short of the points of a reference front.

    By hand: (0, 0) against the reference (3, 4) falls short by 5; (4, 5) by 0.

    Args:
        gains: Oriented scores, shape (n, m) with n at least 1.
        reference: Best known front, oriented, shape (r, m) with r at least 1.

    Returns:
        IGD+; 0 when every reference point is weakly dominated.

    Raises:
        ShapeError: If either is empty, or they do not fit each other.
        NonFiniteError: If either holds nan or infinity.

    References:
        Ishibuchi et al. (2015), Modified distance calculation in generational distance and inverted
        generational distance, sec. 4.
    """
    array, target = _pair(gains, reference, "the reference front")
    return pymoo_igd_plus(array, target)


def epsilon_additive(gains: ArrayLike, reference: ArrayLike) -> float:
    """Return the smallest uniform shift that makes gains weakly dominate a reference front.

    By hand: (1, 1) against (2, 1) and (1, 4) needs 3.

    Args:
        gains: Oriented scores, shape (n, m) with n at least 1.
        reference: Front to reach, oriented, shape (r, m) with r at least 1.

    Returns:
        Additive epsilon; negative when the reference is exceeded everywhere.

    Raises:
        ShapeError: If either is empty, or they do not fit each other.
        NonFiniteError: If either holds nan or infinity.

    References:
        Zitzler et al. (2003), Performance assessment of multiobjective optimizers, eq. for the
        additive epsilon.
    """
    array, target = _pair(gains, reference, "the reference front")
    # one reference point at a time keeps memory at (n, m) for the long fronts of benchmarks
    return max(float((point - array).max(axis=1).min()) for point in target)


def coverage(gains: ArrayLike, other: ArrayLike) -> float:
    """Return the share of another front that gains weakly dominate, C(gains, other) in [0, 1].

    Coverage is not symmetric: report both directions. Equal points count as covered.

    By hand: (2, 2) covers (1, 1) and (2, 2) of {(1, 1), (2, 2), (3, 0)}, so 2/3.

    Args:
        gains: Oriented scores, shape (n, m) with n at least 1.
        other: Oriented scores to be covered, shape (r, m) with r at least 1.

    Raises:
        ShapeError: If either is empty, or they do not fit each other.
        NonFiniteError: If either holds nan or infinity.

    References:
        Zitzler and Thiele (1999), Multiobjective evolutionary algorithms: a comparative case study
        and the strength Pareto approach, def. 4.
    """
    array, target = _pair(gains, other, "the other front")
    return float(np.mean([(array >= row).all(axis=1).any() for row in target]))


def cardinality(gains: ArrayLike) -> int:
    """Return the number of distinct non-dominated gain vectors among the rows, shape (n, m).

    Raises:
        ShapeError: If `gains` is not a matrix.
        NonFiniteError: If a row holds nan or infinity.
    """
    return int(nondominated(gains).sum())


def sparsity(gains: ArrayLike) -> float:
    """Return the mean squared gap between neighbours, for comparison with published tables only.

    Do not optimise sparsity or rank by it. A single point scores 0, the best value. Each objective
    is sorted by itself, so that for m > 2 "neighbours" are different points in each. Duplicates
    lower it. The objective with the largest units decides it.

    By hand: (0, 2), (1, 1), (3, 0) give (1 + 4 + 1 + 1) / 2 = 3.5.

    Args:
        gains: Oriented scores of a front, shape (n, m); the caller leaves out dominated rows and
            duplicates.

    Returns:
        Sparsity, in squared units; 0.0 when n < 2.

    Raises:
        ShapeError: If `gains` is not a matrix.
        NonFiniteError: If a row holds nan or infinity.

    References:
        Xu et al. (2020), Prediction-guided multi-objective reinforcement learning (PGMORL), sec. 3.
    """
    array = gains_array(gains)
    if len(array) < 2:
        return 0.0
    gaps = np.diff(np.sort(array, axis=0), axis=0)
    return float((gaps**2).sum() / (len(array) - 1))


def crowding_distance(gains: ArrayLike) -> FloatArray:
    """Return the crowding distance: the gaps between a point's neighbours, relative to the range.

    Both ends of every objective are infinite. An objective in which all points agree adds 0 to
    every point, ends included, where the formula would be 0/0. Equal values keep the order of the
    rows.

    By hand: (0, 4), (1, 2), (4, 0) give inf, 4/4 + 4/4 = 2, inf.

    Args:
        gains: Oriented scores of one front, shape (n, m).

    Returns:
        Distances, shape (n,), dimensionless; infinite throughout when n < 3.

    Raises:
        ShapeError: If `gains` is not a matrix.
        NonFiniteError: If a row holds nan or infinity.

    References:
        Deb et al. (2002), NSGA-II, sec. III-B.
    """
    array = gains_array(gains)
    n, m = array.shape
    if n < 3:
        return np.full(n, np.inf)
    distances = np.zeros(n, dtype=np.float64)
    for objective in range(m):
        order = array[:, objective].argsort(kind="stable")
        values = array[order, objective]
        spread = values[-1] - values[0]
        if spread > 0:
            distances[order[[0, -1]]] = np.inf
            distances[order[1:-1]] += (values[2:] - values[:-2]) / spread
    return distances


def _pair(gains: ArrayLike, other: ArrayLike, name: str) -> tuple[FloatArray, FloatArray]:
    array = gains_array(gains)
    second = gains_array(other, name=name)
    if not len(array) or not len(second):
        raise ShapeError(
            f"gains and {name} need at least one row, got {len(array)} and {len(second)}"
        )
    return array, gains_array(second, m=array.shape[1], name=name)
