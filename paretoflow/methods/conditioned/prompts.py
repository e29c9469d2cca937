"""Preferences as words in a prompt.

A weight vector w on the simplex and the direction v = w / |w| are equivalent; angles are measured
between directions, and scores are projected on them. A goal is a preference as scores to reach, in
standardised gains.

The words are inserted before the prompt's last line, which in most formats marks the start of the
answer: `Answer:`, or a chat's mark of the assistant. A small model follows the words near the
answer; it ignored them before a long prompt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

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

    The centre is turned by an angle uniform in [0, angle] towards a random tangent direction;
    directions outside the non-negative orthant are folded back by taking absolute values, which
    does not move them farther from a non-negative centre. With two objectives that is uniform in
    the angle.

    Args:
        centre: Non-negative, not zero, shape (m,).
        angle: Degrees.
        count: Number of directions.
        rng: Source of random numbers.

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


DECIMALS = 1
"""Decimals of scores in prompts, the same in training and in use."""


def goals_of(weights: FloatArray, low: FloatArray, high: FloatArray, rule: str) -> FloatArray:
    """Return the goal of a preference, to one decimal, shape (m,).

    A share s of each range, low + s (high - low). linf: s = min(m w, 1), so the largest weight
    selects the best score, and equal weights select the best of every objective; l2: s = w / |w|;
    linear: s = w.

    By hand: w = (0.75, 0.25), low = (-1, -1), high = (3, 3): linf gives (3, 1), l2 (2.8, 0.3),
    linear (2, 0).

    Args:
        weights: Shape (m,), summing to 1.
        low: Smallest score of each objective, shape (m,).
        high: Largest, shape (m,).
        rule: "linf", "l2" or "linear".

    References:
        Yang et al. 2024, arXiv 2402.10207, and its code: the same three maps.
    """
    shares = {
        "linf": np.minimum(len(weights) * weights, 1.0),
        "l2": weights / np.linalg.norm(weights),
        "linear": weights,
    }[rule]
    return told(low + shares * (high - low))


def sampled_goals(
    low: FloatArray, high: FloatArray, count: int, rng: np.random.Generator
) -> FloatArray:
    """Return goals to sample answers for: all objectives at their best but one, shape (count, m).

    Each is drawn uniformly from its range; the one with the smallest share stays there, all others
    go to the top.

    References:
        Yang et al. 2024, code. Departure: the range is that of the base's answers, as in the
        paper's text, not that of a normal distribution.
    """
    shares = rng.random((count, len(low)))
    keep = shares.argmin(axis=1)
    goals = np.tile(np.asarray(high, dtype=np.float64), (count, 1))
    rows = np.arange(count)
    goals[rows, keep] = (low + shares * (high - low))[rows, keep]
    return told(goals)


def near_front(scores: FloatArray, quantile: float) -> NDArray[np.bool_]:
    """Return a mask of the answers that reach the quantile of some objective, shape (n,).

    By hand: scores (0, 2), (1, 1), (2, 0), (0, 0) at quantile 0.7 have the thresholds 1.1 and 1.1
    (linear interpolation): the first and the third pass.

    Args:
        scores: Shape (n, m), n at least 1.
        quantile: In [0, 1].

    References:
        Yang et al. 2024, code: any score at or above its own quantile, 0.7 by default.
    """
    reached = scores >= np.quantile(scores, quantile, axis=0)
    return np.asarray(reached.any(axis=1), dtype=bool)


def told(scores: FloatArray) -> FloatArray:
    """Return scores as prompts show them; never -0."""
    return np.asarray(np.round(scores, DECIMALS) + 0.0, dtype=np.float64)


def goals_prefix(names: Sequence[str], goals: FloatArray) -> str:
    """Return scores to reach as words: `<coverage> 1.2 <length> -0.3` and a line break."""
    parts = (f"<{n}> {g:.{DECIMALS}f}" for n, g in zip(names, goals, strict=True))
    return " ".join(parts) + "\n"


def direction_numbers(weights: FloatArray) -> list[int]:
    """Return a direction in whole hundredths. By hand: (0.5, 0.5) gives 71 and 71."""
    return [int(v) for v in np.round(100 * direction_of(weights))]


def direction_prefix(names: Sequence[str], weights: FloatArray) -> str:
    """Return a direction as words: `Weights: coverage 71, length 71.` and a line break."""
    pairs = zip(names, direction_numbers(weights), strict=True)
    return "Weights: " + ", ".join(f"{name} {number}" for name, number in pairs) + ".\n"


def put_before(prefix: str, text: str, bos: str | None) -> str:
    r"""Return a prompt with the words before its last line that is not empty.

    For a prompt of one line they come before it, but after its begin-of-text token, if any.

    By hand: `P` and a line break before `Question\nAnswer:` give `Question\nP\nAnswer:`.
    """
    cut = text.rstrip("\n").rfind("\n") + 1
    if cut == 0 and bos and text.startswith(bos):
        cut = len(bos)
    return text[:cut] + prefix + text[cut:]
