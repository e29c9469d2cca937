"""Selects points of a front: by a preference, under constraints, or to show the front's shape.

Only points of a `FrontView` are selected. Nothing is interpolated, since only trained adapters can
be delivered.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from paretoflow.core.errors import UserError
from paretoflow.core.front_point import FrontPoint
from paretoflow.core.values import Direction, FloatArray, Problem
from paretoflow.core.views import FrontView
from paretoflow.front.orient import gains_of, ideal_gains, nadir_gains, ref_gains

Bounds = Mapping[str, float]


def pick(
    view: FrontView,
    prefer: Bounds | None = None,
    at_least: Bounds | None = None,
    at_most: Bounds | None = None,
) -> FrontPoint:
    """Return the best front point under a preference, among those that keep the constraints.

    The winner has the largest weighted sum of gains normalised by the sweep's frozen ranges; the
    plain sum decides between equal sums. A point that does not pass the reference point in every
    objective is taken only if no other point keeps the constraints: in one objective it is no
    better than the worst score that still counts. Without `prefer`, the objectives without a
    constraint count equally.

    Args:
        view: The front to choose from.
        prefer: Non-negative importance of objectives by name; objectives left out do not count.
        at_least: Lowest raw score allowed, for maximised objectives.
        at_most: Highest raw score allowed, for minimised objectives.

    Raises:
        UserError: If no preference or constraint is given, a name is unknown, a number is out of
            range, a constraint points the wrong way, or no point keeps the constraints.

    References:
        Liu et al. (2024), arXiv 2410.02236, sec. 5.4, "set max policy"; the normalisation and
        constraints are ours.
    """
    if not (prefer or at_least or at_most):
        hint = "say what matters, for instance --prefer a=0.7,b=0.3 or --at-least a=0.5"
        raise UserError("nothing to pick by", hint=hint, code="usage-option")
    if not view.points:
        hint = "wait for the first evaluation"
        raise UserError(
            f"the front of sweep {view.sweep!r} has no points yet", hint=hint, code="usage-no-point"
        )
    floors = _floors(view.problem, at_least or {}, at_most or {})
    return _best(view, _weights(view.problem, prefer or {}, floors), floors)


def normalised_gains(gains: FloatArray, problem: Problem) -> FloatArray:
    """Return gains as shares of the frozen ranges, shape (n, m): 0 is worst, 1 best."""
    ideal, nadir = ideal_gains(problem), nadir_gains(problem)
    return np.asarray((gains - nadir) / (ideal - nadir), dtype=np.float64)


def that_count(view: FrontView) -> NDArray[np.bool_]:
    """Return a mask of the points that pass the reference point in every objective, shape (k,).

    The other points add no hypervolume: in one objective they are no better than the worst score
    that still counts.
    """
    scores = np.array([p.scores for p in view.points]).reshape(-1, view.problem.m)
    gains = gains_of(scores, view.problem)
    return np.asarray((gains > ref_gains(view.problem)).all(axis=1), dtype=np.bool_)


def landmarks(view: FrontView) -> list[tuple[FrontPoint, tuple[str, ...]]]:
    """Return the points that show a front's shape, each with the objectives it is the best in.

    They are the best point of each objective, and the middle: the point whose worst gain is best in
    units of the front's own extent (for display only; nothing is decided by it). They keep the
    order of the front. Points that do not pass the reference point are left out if others do.
    """
    if not view.points:
        return []
    counts = that_count(view)
    shown = np.flatnonzero(counts if counts.any() else ~counts)
    gains = gains_of(np.array([view.points[i].scores for i in shown]), view.problem)
    extent = gains.max(axis=0) - gains.min(axis=0)
    level = (gains - gains.min(axis=0)) / np.where(extent > 0, extent, 1.0)
    best = np.argmax(gains, axis=0)
    chosen = {*best.tolist(), int(np.argmax(level.min(axis=1)))}
    names = view.problem.names
    return [
        (view.points[shown[i]], tuple(n for n, b in zip(names, best, strict=True) if b == i))
        for i in sorted(chosen)
    ]


def _best(view: FrontView, weights: FloatArray, floors: FloatArray) -> FrontPoint:
    """Return the point of largest weighted sum among those whose gains reach the floors."""
    gains = gains_of(np.array([p.scores for p in view.points]), view.problem)
    meets = (gains >= floors).all(axis=1)
    if not meets.any():
        raise _nobody(view, gains, floors)
    counting = meets & that_count(view)
    meets = counting if counting.any() else meets
    normalised = normalised_gains(gains, view.problem)
    worth = np.where(meets, normalised @ weights, -np.inf)
    tied = np.flatnonzero(worth == worth.max())
    return view.points[int(tied[np.argmax(normalised[tied].sum(axis=1))])]


def _weights(problem: Problem, prefer: Bounds, floors: FloatArray) -> FloatArray:
    """Return the preference on the simplex, shape (m,)."""
    _known(problem, prefer)
    for name, value in prefer.items():
        if not (math.isfinite(value) and value >= 0):
            raise UserError(
                f"the preference for {name} is {value}, but must be a number of at least 0",
                hint="leave out an objective that does not count",
                code="usage-option",
            )
    if prefer:
        raw = np.array([prefer.get(name, 0.0) for name in problem.names])
    else:
        free = np.isneginf(floors)
        raw = (free if free.any() else np.ones_like(free)).astype(np.float64)
    if raw.sum() <= 0:
        raise UserError(
            "every preference is 0",
            hint="give at least one objective a positive number",
            code="usage-option",
        )
    return np.asarray(raw / raw.sum(), dtype=np.float64)


def _floors(problem: Problem, at_least: Bounds, at_most: Bounds) -> FloatArray:
    """Return the lowest allowed gain of each objective, shape (m,); -inf without a constraint."""
    asked = (
        (at_least, "at least", "--at-least", Direction.MAXIMIZE),
        (at_most, "at most", "--at-most", Direction.MINIMIZE),
    )
    bounds = np.array(
        [-np.inf if o.direction is Direction.MAXIMIZE else np.inf for o in problem.objectives]
    )
    for given, words, option, direction in asked:
        _known(problem, given)
        for name, value in given.items():
            index = problem.names.index(name)
            if not math.isfinite(value):
                raise UserError(
                    f"the bound on {name} is {value}, but must be a finite number",
                    hint="leave out an objective that has no bound",
                    code="usage-option",
                )
            if problem.objectives[index].direction is not direction:
                raise _wrong_way(name, value, words, option)
            bounds[index] = value
    return gains_of(bounds, problem)


def _wrong_way(name: str, value: float, words: str, option: str) -> UserError:
    other = "--at-most" if option == "--at-least" else "--at-least"
    better = "smaller" if option == "--at-least" else "larger"
    return UserError(
        f"{name} {words} {value:g} would ask for worse scores: {better} is better for {name}",
        option,
        f"use {other} {name}={value:g}",
        code="usage-option",
    )


def _known(problem: Problem, given: Bounds) -> None:
    for name in given:
        if name not in problem.names:
            near = difflib.get_close_matches(name, problem.names, 1)
            raise UserError(
                f"the sweep has no objective {name!r}; it has {', '.join(problem.names)}",
                hint=f"did you mean {near[0]}?" if near else "",
                code="usage-unknown-name",
            )


def _nobody(view: FrontView, gains: FloatArray, floors: FloatArray) -> UserError:
    """Return the error that names the point with the smallest worst shortfall, in frozen ranges."""
    problem = view.problem
    short = np.where(np.isneginf(floors), 0.0, floors - gains) / (
        ideal_gains(problem) - nadir_gains(problem)
    )
    nearest = view.points[int(np.argmin(short.max(axis=1)))]
    bound = ~np.isneginf(floors)
    scores = ", ".join(
        f"{o.name} {s:.4g}"
        for o, s, b in zip(problem.objectives, nearest.scores, bound, strict=True)
        if b
    )
    return UserError(
        f"none of the {len(view.points)} points of the front keeps the constraints",
        hint=f"the nearest is {nearest.snapshot_id} with {scores}; ask for less, or run longer",
        code="usage-no-point",
    )
