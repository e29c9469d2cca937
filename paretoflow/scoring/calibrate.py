"""Freeze the objectives once per sweep: range and reference value, declared or calibrated.

This module needs neither torch nor a model, so that `check` and `simulate` can use it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from paretoflow.core.errors import NonFiniteError, ShapeError, SpecError
from paretoflow.core.values import Direction, FloatArray, ObjectiveInfo, Problem
from paretoflow.front.orient import gains_of, ref_gains
from paretoflow.spec.objectives import ObjectiveSpec, unmoved

REF_MARGIN = 0.1
"""An undeclared reference value lies this share of the range beyond its worse end."""
ENOUGH = 8
"""Number of answers from which equal scores cannot be chance."""
FLAT_MARGIN = 0.05
"""If all scores are equal, the range reaches this share of their size to either side."""


def calibrate(specs: Sequence[ObjectiveSpec], scores: FloatArray) -> Problem:
    """Return the objectives with every range and reference value filled in.

    Declared values are kept. An undeclared range is the lowest and the highest of the base's
    scores; if these are equal to a value v, it is v -+ 5 % of |v|, or -1 to 1 for v = 0. An
    undeclared reference value lies a tenth of the range beyond the range's worse end: for scores
    from 20 to 70 that is 15 when more is better and 75 when less is.

    Args:
        specs: The spec's objectives, length m.
        scores: Raw scores of the base's answers, shape (k, m), k at least 1.

    Raises:
        ShapeError: If `scores` has another shape.
        NonFiniteError: If a score is nan or infinite.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 2 or scores.shape[0] == 0 or scores.shape[1] != len(specs):
        raise ShapeError(f"scores must have shape (k, {len(specs)}), k >= 1, got {scores.shape}")
    if not np.isfinite(scores).all():
        raise NonFiniteError("the base's scores must be finite to calibrate from them")
    return Problem(tuple(_info(s, s.range or _span(scores[:, i])) for i, s in enumerate(specs)))


def require_differences(specs: Sequence[ObjectiveSpec], scores: FloatArray) -> None:
    """Refuse objectives none of which distinguishes any two of the base's answers.

    Training learns from such differences alone. System costs have none and are ignored.

    Raises:
        SpecError: If no objective distinguishes answers, among `ENOUGH` answers or more.
    """
    moved = [i for i in range(len(specs)) if i not in unmoved(specs)]
    if len(scores) < ENOUGH or not moved or np.ptp(scores[:, moved], axis=0).any():
        return
    told = ", ".join(f"{specs[i].name} {scores[0, i]:.4g}" for i in moved)
    raise SpecError(
        f"all {len(scores)} answers of the base have the same scores: {told}; there is nothing "
        "to learn from",
        "objectives",
        "look at the answers and what the scorers are given; raise model.generation.temperature",
        code="spec-no-range",
    )


def calibration_notes(
    problem: Problem, scores: FloatArray, costs: Sequence[int] = ()
) -> tuple[str, ...]:
    """Return warnings about objectives, one sentence each, from the base's answers.

    Args:
        problem: The frozen objectives.
        scores: Raw scores of the base's answers, shape (k, m).
        costs: Indices of the system costs, which cannot be read from answers.
    """
    gains, ref = gains_of(scores, problem), ref_gains(problem)
    notes = []
    for i, info in enumerate(problem.objectives):
        low, high = float(scores[:, i].min()), float(scores[:, i].max())
        if i in costs:
            continue
        if low == high:
            notes.append(
                f"{info.name} is the same for all {len(scores)} answers of the base, {low:.4g}: "
                "no run can learn from it unless other answers are sampled"
            )
        elif high < info.low or low > info.high:
            notes.append(
                f"{info.name} of the base's answers, {low:.4g} to {high:.4g}, lies outside of its "
                f"range {info.low:.4g} to {info.high:.4g}: see objectives.range"
            )
        if not (gains[:, i] > ref[i]).any():
            best = scores[int(gains[:, i].argmax()), i]
            notes.append(
                f"{info.name}: no answer of the base is beyond the reference {info.ref:.4g}, the "
                f"best has {best:.4g}; points that stay there count for nothing"
            )
    return tuple(notes)


def declared_problem(specs: Sequence[ObjectiveSpec]) -> Problem:
    """Return the objectives as declared, for a sweep without a base to calibrate from.

    Every objective declares its range: the spec's rules require it where there is no base.
    """
    infos = []
    for spec in specs:
        assert spec.range is not None
        infos.append(_info(spec, spec.range))
    return Problem(tuple(infos))


def orientation(specs: Sequence[ObjectiveSpec]) -> Callable[[FloatArray], FloatArray]:
    """Return the function from raw scores to gains, for arrays of shape (..., m).

    It needs directions alone, so it works before calibration; it is its own inverse.
    """
    problem = Problem(tuple(_info(spec, (0.0, 1.0)) for spec in specs))

    def orient(scores: FloatArray) -> FloatArray:
        return gains_of(scores.reshape(-1, problem.m), problem).reshape(scores.shape)

    return orient


def _info(spec: ObjectiveSpec, span: tuple[float, float]) -> ObjectiveInfo:
    low, high = span
    beyond = REF_MARGIN * (high - low)
    default = low - beyond if spec.direction is Direction.MAXIMIZE else high + beyond
    ref = default if spec.ref is None else spec.ref
    return ObjectiveInfo(spec.name, spec.direction, spec.unit, low, high, ref)


def _span(scores: FloatArray) -> tuple[float, float]:
    low, high = float(scores.min()), float(scores.max())
    if high > low:
        return low, high
    margin = FLAT_MARGIN * abs(low) or 1.0
    return low - margin, high + margin
