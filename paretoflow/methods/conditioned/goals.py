"""A preference as scores to reach, and scores worth learning from: all in standardised gains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paretoflow.core.values import FloatArray

DECIMALS = 1
"""Scores are told to one decimal, so that as many digits are read in training as in use."""


def goals_of(weights: FloatArray, low: FloatArray, high: FloatArray, rule: str) -> FloatArray:
    """Return the scores that a preference asks for, to one decimal, shape (m,).

    A share s of each range, low + s (high - low). linf: s = min(m w, 1), so the largest weight asks
    for the best score, and equal weights ask for all of them; l2: s = w / |w|; linear: s = w.

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
    """Return which answers reach the quantile of some objective, shape (n,).

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
    """Return scores as prompts tell them; never -0."""
    return np.asarray(np.round(scores, DECIMALS) + 0.0, dtype=np.float64)
