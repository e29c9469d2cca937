"""Dominance between gains; pymoo does the sorting.

A point dominates another when it is nowhere smaller and somewhere larger. Evaluation on a fixed set
of prompts makes exact ties common, so duplicates are a normal case: the first of equal rows
represents all of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paretoflow.core.values import FloatArray, IntArray
from paretoflow.front.checks import gains_array, vector
from paretoflow.front.pymoo_bridge import pymoo_front, pymoo_ranks

FEW = 64
"""Number of rows up to which comparing all pairs beats sorting: about five times faster at 30."""


def dominates(a: ArrayLike, b: ArrayLike) -> bool:
    """Return whether gains `a`, shape (m,), dominate gains `b`, shape (m,); equal gains do not.

    Raises:
        ShapeError: If the two are not vectors of one length.
        NonFiniteError: If either holds nan or infinity.
    """
    first = vector(a, np.size(a), "gains")
    second = vector(b, first.size, "gains")
    return bool((first >= second).all() and (first > second).any())


def nondominated(gains: ArrayLike) -> NDArray[np.bool_]:
    """Return a mask of the rows on the front, one for each distinct gain vector.

    By hand: of (1, 2), (2, 1), (1, 2), (0, 0) the first two stay; the third equals the first, the
    fourth is dominated.

    Args:
        gains: Oriented scores, shape (n, m).

    Returns:
        Mask, shape (n,); of exact duplicates only the first is true.

    Raises:
        ShapeError: If `gains` is not a matrix.
        NonFiniteError: If a row holds nan or infinity; names the rows.
    """
    array = gains_array(gains)
    if len(array) <= FEW:
        return _of_few(array)
    mask = np.zeros(len(array), dtype=np.bool_)
    # adding zero makes -0.0 and 0.0 one value for the search of duplicates
    _, firsts = np.unique(array + 0.0, axis=0, return_index=True)
    mask[firsts[pymoo_front(array[firsts])]] = True
    return mask


def _of_few(array: FloatArray) -> NDArray[np.bool_]:
    least = np.all(array[None] >= array[:, None], axis=2)
    equal = np.logical_and(least, least.T)
    worse = np.any(np.logical_and(least, ~equal), axis=1)
    beaten = np.logical_or(worse, np.any(np.tril(equal, -1), axis=1))
    return np.asarray(~beaten, dtype=np.bool_)


def ranks(gains: ArrayLike) -> IntArray:
    """Return the rank of each row: the number of its front when fronts are peeled off in turn.

    Args:
        gains: Oriented scores, shape (n, m).

    Returns:
        Ranks, shape (n,), 0 for the non-dominated rows; duplicates share a rank.

    Raises:
        ShapeError: If `gains` is not a matrix.
        NonFiniteError: If a row holds nan or infinity; names the rows.

    References:
        Deb et al. (2002), A fast and elitist multiobjective genetic algorithm: NSGA-II, sec. III-A.
    """
    array = gains_array(gains)
    if not len(array):
        return np.zeros(0, dtype=np.int64)
    return pymoo_ranks(array)
