"""Converts scores to gains and back: the only place where a score changes sign.

Scores are raw, in the user's units and direction. Gains are the same numbers oriented so that
larger is better: a score to minimise is negated. Nothing is scaled: gains keep the user's units.
Nan and infinity pass through; the functions that use the gains refuse them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from paretoflow.core.errors import ShapeError
from paretoflow.core.values import Direction, FloatArray, Problem


def gains_of(scores: ArrayLike, problem: Problem) -> FloatArray:
    """Return the gains of raw scores.

    Args:
        scores: Raw scores, shape (n, m) or (m,).
        problem: Objectives with their directions.

    Returns:
        Gains, same shape.

    Raises:
        ShapeError: If the last axis does not have one entry for each objective.
    """
    return _flipped(scores, problem, "scores")


def scores_of(gains: ArrayLike, problem: Problem) -> FloatArray:
    """Return the raw scores of gains; the inverse of `gains_of`.

    Args:
        gains: Oriented scores, shape (n, m) or (m,).
        problem: Objectives with their directions.

    Returns:
        Raw scores, same shape.

    Raises:
        ShapeError: If the last axis does not have one entry for each objective.
    """
    return _flipped(gains, problem, "gains")


def ref_gains(problem: Problem) -> FloatArray:
    """Return the oriented reference point, shape (m,)."""
    return gains_of(problem.ref_scores, problem)


def ideal_gains(problem: Problem) -> FloatArray:
    """Return the oriented best end of the ranges, (m,): `high` to maximise, `low` to minimise."""
    return gains_of(
        [o.high if _upward(o.direction) else o.low for o in problem.objectives], problem
    )


def nadir_gains(problem: Problem) -> FloatArray:
    """Return the oriented worst end of the ranges, (m,): `low` to maximise, `high` to minimise."""
    return gains_of(
        [o.low if _upward(o.direction) else o.high for o in problem.objectives], problem
    )


def _upward(direction: Direction) -> bool:
    return direction is Direction.MAXIMIZE


@lru_cache(maxsize=16)
def _signs(problem: Problem) -> FloatArray:
    signs = np.array([1.0 if _upward(o.direction) else -1.0 for o in problem.objectives])
    signs.flags.writeable = False
    return signs


def _flipped(values: ArrayLike, problem: Problem, name: str) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim not in (1, 2) or array.shape[-1] != problem.m:
        raise ShapeError(
            f"{name} must have shape (n, {problem.m}) or ({problem.m},), got {array.shape}"
        )
    signs = _signs(problem)
    # adding zero turns -0.0 into 0.0, which would otherwise show in tables
    return np.asarray(array * signs + 0.0, dtype=np.float64)
