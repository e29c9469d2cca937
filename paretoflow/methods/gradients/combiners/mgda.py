"""The multiple-gradient descent algorithm: the point of least norm in the gradients' hull."""

from __future__ import annotations

import numpy as np

from paretoflow.core.values import FloatArray
from paretoflow.methods.gradients.combiners.faces import SINGULAR, faces, least, scaled, spread


def mgda(gram: FloatArray, weights: FloatArray, *, weighted: bool) -> FloatArray:
    """Return the coefficients, which sum to one, of a step along which every loss falls.

    With G the combination, G.g_i = |G|^2 where a_i > 0, and at least that elsewhere. `weighted`
    makes G.g_i proportional to w_i instead: it solves for the gradients g_i / w_i.

    By hand: g_1 = (2, 0), g_2 = (0, 1), so H = diag(4, 1). Unweighted: a = (1/5, 4/5), G = (0.4,
    0.8), G.g_1 = G.g_2 = 0.8. With w = (2/3, 1/3): a = (1/3, 2/3), G = (2/3, 2/3), G.g_1 = 4/3 is
    twice G.g_2 = 2/3.

    Args:
        gram: Inner products of the gradients, none of which is zero, shape (m, m).
        weights: Positive, shape (m,).
        weighted: Whether rates of descent follow the weights.

    References:
        Désidéri 2012, doi 10.1016/j.crma.2012.03.014, and Sener and Koltun 2018, arXiv 1810.04650,
        eq. 3. Departures: (1) exact, by faces of the simplex, in place of Frank-Wolfe: the norm is
        within 1e-6 of the least, over the shortest gradient; (2) `weighted`, which the papers do
        not have; (3) the coefficients sum to one also then.
    """
    rates = weights if weighted else np.ones_like(weights)
    found = least_norm(gram / np.outer(rates, rates)) / rates
    coefficients: FloatArray = found / found.sum()
    return coefficients


def least_norm(gram: FloatArray) -> FloatArray:
    """Return the p on the simplex with the least p'Hp, shape (m,).

    Args:
        gram: H, with a positive diagonal, shape (m, m).
    """
    points = []
    for face in faces(len(gram)):
        shares = _stationary(gram[np.ix_(face, face)])
        point = spread(len(gram), face, shares)
        if point is not None:
            points.append(point)
    values = [float(p @ gram @ p) for p in points]
    return least(points, values, 1e-13 * float(np.diag(gram).min()))


def _stationary(gram: FloatArray) -> FloatArray:
    """Return the shares of the affine hull's point of least norm, in any unit, shape (k,)."""
    lengths, correlations = scaled(gram)
    values, vectors = np.linalg.eigh(correlations)
    if values[0] <= SINGULAR:  # the origin is in the hull, or a smaller face has the solution
        null = vectors[:, 0]
        shares: FloatArray = null * np.sign(null.sum()) / lengths
        return shares
    solved: FloatArray = vectors @ (vectors.T @ (lengths.min() / lengths) / values) / lengths
    return solved
