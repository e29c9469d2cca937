"""Convex problems on the simplex by trying every face: exact, and the same for every order.

With m entries there are 2^m - 1 faces; on each, a small linear system gives the one point that can
be the solution. This suits the few objectives of one launch: 0.4 ms for two, 1 ms for four, 10 ms
for seven, and twice as long for each further one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from paretoflow.core.values import FloatArray, IntArray

SINGULAR = 1e-12
"""Eigenvalue of a correlation matrix, on a face of k gradients, under which they are dependent."""
_NEGATIVE = 1e-9
"""Shares down to this negative value, relative to the largest share, count as zero."""


def faces(m: int) -> Iterator[IntArray]:
    """Yield every non-empty set of indices under m, smallest first."""
    for size in range(1, m + 1):
        for chosen in combinations(range(m), size):
            yield np.array(chosen)


def spread(m: int, face: IntArray, shares: FloatArray) -> FloatArray | None:
    """Return a point of the simplex with these shares on a face; None if one is negative.

    Args:
        m: Coordinates of the point.
        face: Indices, shape (k,).
        shares: In any unit, shape (k,).
    """
    largest = np.abs(shares).max()
    if not largest > 0 or (shares < -_NEGATIVE * largest).any():
        return None
    point = np.zeros(m)
    point[face] = np.maximum(shares, 0.0)
    shared: FloatArray = point / point.sum()
    return shared


def least(points: Sequence[FloatArray], values: Sequence[float], atol: float) -> FloatArray:
    """Return the mean of the points whose value is within `atol` of the least.

    Where gradients are dependent, several points of a convex problem solve it; their mean does too,
    and does not depend on the order of the objectives.
    """
    found = np.asarray(values)
    mean: FloatArray = np.stack(points)[found <= found.min() + atol].mean(axis=0)
    return mean


def length(gram: FloatArray, shares: FloatArray) -> float:
    """Return the length of the gradients' sum with these shares, shape (m,)."""
    return float(np.sqrt(np.maximum(shares @ gram @ shares, 0.0)))  # against rounding below zero


def scaled(gram: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the gradients' lengths, shape (k,), and correlations, shape (k, k)."""
    lengths = np.sqrt(np.diag(gram))
    return lengths, gram / np.outer(lengths, lengths)
