"""Words for preferences and bounds in reasons: the objectives' names, in raw units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paretoflow.core.values import Direction, FloatArray, Problem, WeightVector
from paretoflow.front.orient import scores_of


def preference(weights: WeightVector, names: Sequence[str]) -> str:
    """Return weights in words, `coverage 0.70, length 0.30`, without objectives of weight 0."""
    parts = [f"{n} {w:.2f}" for n, w in zip(names, weights.values, strict=True) if w > 0]
    return ", ".join(parts)


def bounds(thresholds: FloatArray, target: int, problem: Problem) -> str:
    """Return thresholds in words, `coverage at least 0.41, length at most 35`, without the target.

    Args:
        thresholds: Gains to keep, shape (m,).
        target: Index of the objective that has no bound.
        problem: Objectives with their directions.
    """
    scores = scores_of(np.where(np.isfinite(thresholds), thresholds, 0.0), problem)
    parts = [
        f"{o.name} {_side(o.direction)} {scores[i]:.4g}"
        for i, o in enumerate(problem.objectives)
        if i != target and np.isfinite(thresholds[i])
    ]
    return ", ".join(parts)


def improve(target: int, problem: Problem) -> str:
    """Return the change of the target in words: `raises coverage` or `lowers length`."""
    objective = problem.objectives[target]
    verb = "raises" if objective.direction is Direction.MAXIMIZE else "lowers"
    return f"{verb} {objective.name}"


def _side(direction: Direction) -> str:
    return "at least" if direction is Direction.MAXIMIZE else "at most"
