"""Bounds on the best weighted sum at weights that no run had yet, from above and below.

The best weighted sum V(w) that any policy reaches is convex in the weights. The upper envelope of
the known points bounds it from below. The weighted sums that runs at given weights reached bound it
from above, as no policy can be beyond them in that direction. Both bounds hold as far as training
and evaluation are exact; the caller adds the slack.

References:
    Roijers 2016, Multi-objective decision-theoretic planning, ch. 3 (optimistic linear support):
    corner weights and the bound by linear programming. Departures: (1) the corner weights are read
    from a convex hull, and the bound from the vertices of the linear program's polyhedron, so that
    all corners are judged at once; (2) no objective is expected beyond its best known value or the
    frozen ideal, whichever is larger.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from paretoflow.core.values import FloatArray

FAR = 2.0
"""Distance below all known points at which hulls are closed, in normalised gains; no result
depends on it."""
SAME = 9
"""Decimals to which weights of two facets are compared."""
CUTS = 3
"""Number of bounds, the most violated first, that a point is moved within."""


def envelope(where: FloatArray, points: FloatArray) -> FloatArray:
    """Return the best weighted sum of points (n, m) at each of some weights (k, m), shape (k,)."""
    return np.asarray((where @ points.T).max(axis=1), dtype=np.float64)


def corner_weights(points: FloatArray) -> FloatArray:
    """Return the weights at which the envelope of points has a corner, the simplex' own included.

    The largest possible gains are at the corners: between corners the envelope is linear and the
    possible gain is convex. The corner weights are the normals of the facets of the region that the
    points and their mixtures dominate.

    By hand: (1, 0) and (0, 1) have the corners (1, 0), (0, 1) and, where both are equally good,
    (.5, .5). A third point (.75, .75) moves that to (.75, .25) and (.25, .75).

    Args:
        points: Normalised gains, shape (n, m) with n at least 1 and m at least 2.

    Returns:
        Weights, shape (k, m), in lexicographic order.
    """
    from scipy.spatial import ConvexHull

    m = points.shape[1]
    floor = points.min(axis=0) - FAR
    fallen = [np.where(low, floor, points) for low in product([True, False], repeat=m)]
    normals = ConvexHull(np.unique(np.vstack(fallen), axis=0)).equations[:, :m]
    upward = np.maximum(normals[(normals > -(10.0**-SAME)).all(axis=1)], 0.0)
    weights = upward / upward.sum(axis=1, keepdims=True)
    return np.asarray(np.unique(weights.round(SAME), axis=0), dtype=np.float64)


def value_bounds(
    where: FloatArray, weights: FloatArray, values: FloatArray, most: FloatArray
) -> FloatArray:
    """Return upper bounds of weighted sums: max w.v with W v <= values and v <= most.

    By hand: runs at (1, 0), (0, 1) and (.5, .5) that reached 1, 1 and .75 leave (1, .5) and
    (.5, 1) as vertices, so that at (.75, .25) no more than .875 is possible.

    Args:
        where: Weights to bound, shape (k, m).
        weights: Weights of runs, shape (n, m).
        values: Weighted sums that the runs reached, shape (n,).
        most: Upper end of each objective, shape (m,).

    Returns:
        Bounds, shape (k,).
    """
    from scipy.spatial import HalfspaceIntersection

    m = len(most)
    inside = min(float(values.min(initial=np.inf)), float(most.min())) - FAR
    sides = np.vstack([weights, np.eye(m), -np.eye(m)])
    ends = np.concatenate([values, most, np.full(m, FAR - inside)])
    region = HalfspaceIntersection(np.column_stack([sides, -ends]), np.full(m, inside))
    corners = region.intersections
    return envelope(where, corners[np.isfinite(corners).all(axis=1)])


def within_supports(points: FloatArray, weights: FloatArray, values: FloatArray) -> FloatArray:
    """Return points moved within the bounds that runs at some weights set.

    A point is moved along the normal of the bound that it violates most, `CUTS` times.

    By hand: a run at (.5, .5) reached .5: (1, 1) is moved to (.5, .5), and (.2, .6) stays.

    Args:
        points: Normalised gains, shape (..., m).
        weights: Weights of runs, shape (n, m).
        values: Upper bounds of the weighted sums at these weights, shape (n,).
    """
    squares = (weights**2).sum(axis=1)
    for _ in range(CUTS):
        beyond = (points @ weights.T - values) / squares
        worst = beyond.argmax(axis=-1)
        step = np.maximum(np.take_along_axis(beyond, worst[..., None], axis=-1), 0.0)
        points = points - step * weights[worst]
    return points
