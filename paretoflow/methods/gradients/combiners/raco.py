"""Reward-free alignment for conflicting objectives: CAGrad-Clip."""

from __future__ import annotations

import numpy as np

from paretoflow.core.values import FloatArray
from paretoflow.methods.gradients.combiners.cagrad import conflict_mix, turned


def raco(gram: FloatArray, weights: FloatArray, *, c: float) -> FloatArray:
    """Return the coefficients of CAGrad's step, with each gradient's share clipped to its weight.

    p is CAGrad's mix (`cagrad.conflict_mix`) and p~_i = min(p_i, w_i), not scaled to sum to one; G
    = g_0 + c |g_0| g_p~ / |g_p~|, so a_i = w_i + c |g_0| p~_i / |g_p~|. With one objective, a = 1 +
    c times its weight.

    By hand, the reference case: g_1 = (1, -4), g_2 = (-1, 1), w = (0.2, 0.8), c = 0.5: g_0 =
    (-0.6, 0), p = (0.3561, 0.6439), p~ = (0.2, 0.6439), G = (-0.8830, -0.0996).

    Args:
        gram: Inner products of the gradients, none of which is zero, shape (m, m).
        weights: Positive, shape (m,); any sum.
        c: In [0, 1); 0.4 in the release.

    References:
        Chen et al. 2026, arXiv 2602.02495, algorithm CAGrad-Clip. Departures: (1) p is exact for
        any number of objectives, by faces of the simplex, and where gradients are dependent the
        mean of the solutions; (2) clipping is always on, as in the paper: the default of the
        authors' code, none, is `cagrad`.
    """
    clipped = np.minimum(conflict_mix(gram, weights, c), weights)
    return turned(gram, weights, clipped, c)
