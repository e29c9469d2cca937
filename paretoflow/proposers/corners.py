"""Decides what weighted runs say of preferences that no run had yet: bounds from both sides.

The best weighted sum V(w) that any policy reaches is convex in the weights. Points that are known
bound it from below, by their upper envelope; what the runs at given weights reached bounds it from
above, as no policy can be beyond it in that direction. Both hold as far as training and evaluation
are exact; whoever asks brings the slack.

References:
    Roijers 2016, Multi-objective decision-theoretic planning, ch. 3 (optimistic linear support):
    corner weights and the bound by linear programming. Departures: (1) the corner weights are read
    from a convex hull, and the bound from the vertices of the linear program's polyhedron, so that
    all corners are judged at once; (2) no objective is expected beyond the best known value of it
    or the frozen ideal, whichever is larger.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from paretoflow.core.values import FloatArray

FAR = 2.0
"""How far below everything known the hulls are closed, in normalised gains; changes no answer."""
SAME = 9
"""Decimals to which weights of two facets are told apart."""
CUTS = 3
"""Bounds, the most violated first, that a point is brought within."""


def envelope(where: FloatArray, points: FloatArray) -> FloatArray:
    """Return the best weighted sum among points (n, m) at each of some weights (k, m): (k,)."""
    return np.asarray((where @ points.T).max(axis=1), dtype=np.float64)


def corner_weights(points: FloatArray) -> FloatArray:
    """Return the weights at which the envelope of points has a corner, the simplex' own included.

    There the largest gains are to win: between corners the envelope is flat and what is to win is
    convex. They are the normals of the facets of all that the points and mixtures of them dominate.

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
    """Return the most that weighted sums can come to: max w.v with W v <= values and v <= most.

    By hand: runs at (1, 0), (0, 1) and (.5, .5) that came to 1, 1 and .75 leave (1, .5) and
    (.5, 1) as vertices, so that at (.75, .25) no more than .875 is possible.

    Args:
        where: Weights to bound, shape (k, m).
        weights: Of runs, shape (n, m).
        values: The weighted sums that they reached, shape (n,).
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
    """Return points moved, where they are beyond what runs at some weights reached, to within it.

    Each is moved straight back, `CUTS` times, by the bound that it violates most.

    By hand: a run at (.5, .5) came to .5: (1, 1) is moved to (.5, .5), and (.2, .6) stays.

    Args:
        points: Normalised gains, shape (..., m).
        weights: Of runs, shape (n, m).
        values: Weighted sums that they can have reached, shape (n,).
    """
    squares = (weights**2).sum(axis=1)
    for _ in range(CUTS):
        beyond = (points @ weights.T - values) / squares
        worst = beyond.argmax(axis=-1)
        step = np.maximum(np.take_along_axis(beyond, worst[..., None], axis=-1), 0.0)
        points = points - step * weights[worst]
    return points
