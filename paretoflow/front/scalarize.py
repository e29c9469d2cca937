"""Decides how a preference turns gains into one number; larger is better for both forms.

Both mix units: pass gains normalised by the frozen ideal and nadir unless the weights are meant per
raw unit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from paretoflow.core.values import FloatArray
from paretoflow.front.checks import gains_array, vector


def linear_utility(gains: ArrayLike, weights: ArrayLike) -> FloatArray:
    """Return the weighted sum of each row.

    Its maximiser is on the convex hull: no weights reach a concave part of the front.

    Args:
        gains: Oriented scores, shape (n, m).
        weights: Preference, shape (m,).

    Returns:
        Utilities, shape (n,).

    Raises:
        ShapeError: If `weights` does not have one entry for each objective.
        NonFiniteError: If either holds nan or infinity.
    """
    preference = vector(weights, np.size(weights), "weights")
    return np.asarray(gains_array(gains, m=preference.size) @ preference, dtype=np.float64)


def chebyshev_achievement(
    gains: ArrayLike, weights: ArrayLike, aspiration: ArrayLike, rho: float = 0.05
) -> FloatArray:
    """Return how far each row exceeds the aspiration in its worst weighted objective.

    `min_i w_i (g_i - a_i) + rho * sum_i w_i (g_i - a_i)`. Every non-dominated point maximises it
    for some weights, on concave parts too; the second term keeps weakly dominated points from
    winning ties.

    By hand: g = (3, 1), w = (.5, .5), a = (0, 0), rho = 0.05 gives .5 + .05 * 2 = 0.6.

    Args:
        gains: Oriented scores, shape (n, m).
        weights: Preference, shape (m,).
        aspiration: Oriented point to reach, shape (m,), for instance the ideal.
        rho: Weight of the sum, small and not negative.

    Returns:
        Achievements, shape (n,); positive where the aspiration is exceeded in every weighted
        objective.

    Raises:
        ShapeError: If `weights` or `aspiration` does not have one entry for each objective.
        NonFiniteError: If any of them holds nan or infinity.

    References:
        Wierzbicki (1980), The use of reference objectives in multiobjective optimization; Steuer
        and Choo (1983), An interactive weighted Tchebycheff procedure, Math. Programming 26, with
        the opposite sign.
    """
    preference = vector(weights, np.size(weights), "weights")
    goal = vector(aspiration, preference.size, "the aspiration")
    excess = preference * (gains_array(gains, m=preference.size) - goal)
    return np.asarray(excess.min(axis=1) + rho * excess.sum(axis=1), dtype=np.float64)
