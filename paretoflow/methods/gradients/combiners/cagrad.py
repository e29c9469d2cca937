"""Conflict-averse gradient descent."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from paretoflow.core.values import FloatArray
from paretoflow.methods.gradients.combiners.faces import (
    SINGULAR,
    faces,
    least,
    length,
    scaled,
    spread,
)
from paretoflow.methods.gradients.combiners.mgda import least_norm

_CANCELLED = 1e-6
"""A mix whose length over those of its parts is below this is rounding."""


def cagrad(gram: FloatArray, weights: FloatArray, *, c: float) -> FloatArray:
    """Return the coefficients of G = g_0 + c |g_0| g_p / |g_p|, with g_0 the weighted sum.

    G is the step within c |g_0| of g_0 whose worst inner product with a gradient is the largest; p
    is `conflict_mix`. Where g_p vanishes, G = g_0.

    By hand: g_1 = (1, 0), g_2 = (0, 1), w = (0.4, 0.6), c = 0.5, so g_0 = w and the step may be
    0.5 sqrt(0.52) away. The worst of its two inner products, its coordinates, is largest where they
    are equal: (x - 0.4)^2 + (x - 0.6)^2 = 0.13, so a = G = (0.734521, 0.734521) and p =
    (0.713, 0.287).

    Args:
        gram: Inner products of the gradients, none of which is zero, shape (m, m).
        weights: Positive, shape (m,); any sum.
        c: In [0, 1).

    References:
        Liu et al. 2021, arXiv 2110.14048, algorithm 1. Departures: (1) g_0 is weighted, theirs is
        the mean; (2) p is exact, by faces of the simplex; (3) without the division by 1 + c^2 that
        some of their code has.
    """
    return turned(gram, weights, conflict_mix(gram, weights, c), c)


def conflict_mix(gram: FloatArray, weights: FloatArray, c: float) -> FloatArray:
    """Return the p on the simplex with the least (Hw)'p + c |g_0| sqrt(p'Hp), shape (m,).

    On a face S where the gradients are independent, b_S + s H_S p / |g_p| = l 1 with b = Hw and s =
    c |g_0|, so q = p / |g_p| = H_S^-1 (l 1 - b_S) / s, and |g_q| = 1 is a quadratic equation in l.
    Where they are dependent a smaller face does as well, unless g_p vanishes: then p is the point
    of least norm.
    """
    slope = gram @ weights
    total = length(gram, weights)
    points = [least_norm(gram), *_stationary(gram, slope, c * total)]
    values = [float(slope @ p) + c * total * length(gram, p) for p in points]
    return least(points, values, 1e-13 * total * float(np.sqrt(np.diag(gram).max())))


def turned(gram: FloatArray, weights: FloatArray, mix: FloatArray, c: float) -> FloatArray:
    """Return the coefficients of the weighted sum, turned by c of its length along a mix.

    Args:
        gram: Inner products of the gradients, shape (m, m).
        weights: Weights of the sum, shape (m,).
        mix: Coefficients of the direction, non-negative, shape (m,); if the gradients cancel out in
            it, the weighted sum is unchanged.
        c: Length of the turn over that of the sum.
    """
    mixed = length(gram, mix)
    if mixed <= _CANCELLED * float(mix @ np.sqrt(np.diag(gram))):
        return weights.copy()
    coefficients: FloatArray = weights + c * length(gram, weights) / mixed * mix
    return coefficients


def _stationary(gram: FloatArray, slope: FloatArray, radius: float) -> Iterator[FloatArray]:
    """Yield, for each face, its corner or the points of it where the derivative vanishes."""
    m = len(gram)
    for face in faces(m):
        if len(face) == 1:
            yield np.eye(m)[face[0]]
            continue
        lengths, correlations = scaled(gram[np.ix_(face, face)])
        if np.linalg.eigvalsh(correlations)[0] <= SINGULAR:
            continue
        sides = np.stack([1 / lengths, slope[face] / lengths], axis=1)
        ones, slopes = (np.linalg.solve(correlations, sides) / lengths[:, None]).T
        for level in _levels(ones.sum(), slopes.sum(), slope[face] @ slopes, radius):
            point = spread(m, face, level * ones - slopes)
            if point is not None:
                yield point


def _levels(a: float, b: float, c: float, radius: float) -> Iterator[float]:
    """Yield the roots of a x^2 - 2 b x + c = radius^2."""
    root = b * b - a * (c - radius * radius)
    if root >= 0:
        yield (b + np.sqrt(root)) / a
        yield (b - np.sqrt(root)) / a
