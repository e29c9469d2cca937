"""Preferences as unit vectors: angles between them, and draws near one.

A weight vector w on the simplex and the direction v = w / |w| say the same; v is what angles are
measured between and what scores are projected on.
"""

from __future__ import annotations

import math

import numpy as np

from paretoflow.core.values import FloatArray

Generator = np.random.Generator


def direction_of(weights: FloatArray) -> FloatArray:
    """Return the unit vector of weights, shape (m,). By hand: (0.5, 0.5) gives (0.7071, 0.7071)."""
    array = np.asarray(weights, dtype=np.float64)
    return np.asarray(array / np.linalg.norm(array), dtype=np.float64)


def weights_of(direction: FloatArray) -> FloatArray:
    """Return the point of the simplex that a non-negative direction goes through, shape (m,)."""
    return np.asarray(direction / direction.sum(), dtype=np.float64)


def angle_between(one: FloatArray, other: FloatArray) -> float:
    """Return the angle between two vectors in degrees."""
    cosine = float(direction_of(one) @ direction_of(other))
    return math.degrees(math.acos(min(1.0, max(-1.0, cosine))))


def directions_within(centre: FloatArray, angle: float, count: int, rng: Generator) -> FloatArray:
    """Return random non-negative directions at most `angle` degrees from one.

    The centre is turned by an angle uniform in [0, angle] towards a random tangent direction; what
    leaves the non-negative orthant is folded back by taking absolute values, which brings it no
    farther from a non-negative centre. With two objectives that is uniform in the angle.

    Args:
        centre: Non-negative, not zero, shape (m,).
        angle: Degrees.
        count: How many.
        rng: Where they come from.

    Returns:
        Unit vectors, shape (count, m).

    References:
        RPS: k neighbours uniform in angle, for two objectives. Departures: (1) for more objectives,
        which the paper leaves open, a turn towards a random tangent; (2) folding.
    """
    v = direction_of(centre)
    turns = np.radians(angle) * rng.random(count)
    noise = rng.normal(size=(count, len(v)))
    tangents = noise - np.outer(noise @ v, v)
    norms = np.linalg.norm(tangents, axis=1, keepdims=True)
    tangents = np.divide(tangents, norms, out=np.zeros_like(tangents), where=norms > 0)
    turned = np.abs(np.cos(turns)[:, None] * v + np.sin(turns)[:, None] * tangents)
    return np.asarray(turned / np.linalg.norm(turned, axis=1, keepdims=True), dtype=np.float64)
