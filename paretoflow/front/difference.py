"""Decides how two fronts differ: in volume, in points, and how sure that is.

Both are measured against the first one's reference point, so that their volumes compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from paretoflow.core.errors import UserError
from paretoflow.core.values import FloatArray
from paretoflow.front.bootstrap import difference_interval, hypervolume_interval
from paretoflow.front.compared import Difference, Measured, Side, SidePoint
from paretoflow.front.hypervolume import hypervolume
from paretoflow.front.indicators import coverage
from paretoflow.front.orient import gains_of, ref_gains


def difference(a: Side, b: Side) -> Difference:
    """Return how front `b` differs from front `a`.

    Raises:
        UserError: If they do not have the same objectives with the same directions.
    """
    b, notes = aligned(a, b)
    ref = ref_gains(a.problem)
    clouds = prompt_gains_of(a), prompt_gains_of(b)
    paired = _same_prompts(a, b)
    if clouds[0] is None or clouds[1] is None:
        notes += ("no intervals: scores of single prompts were not kept",)
        interval = None
    else:
        interval = difference_interval(clouds[0], clouds[1], ref, paired=paired)
        if not paired:
            notes += ("unpaired interval: the two were not scored on the same prompts",)
    first, second = _measured(a, b, clouds[0]), _measured(b, a, clouds[1])
    names = {p.identity for p in a.points}, {p.identity for p in b.points}
    return Difference(
        a=first,
        b=second,
        change=second.hypervolume - first.hypervolume,
        interval=interval,
        paired=paired and interval is not None,
        kept=tuple(p for p in b.points if p.identity in names[0]),
        gained=tuple(p for p in b.points if p.identity not in names[0]),
        lost=tuple(p for p in a.points if p.identity not in names[1]),
        notes=notes,
    )


def aligned(a: Side, b: Side) -> tuple[Side, tuple[str, ...]]:
    """Return `b` with the objectives, and so the reference point, of `a`.

    Raises:
        UserError: If they are not the same ones.
    """
    ours, theirs = ({o.name: o.direction.value for o in s.problem.objectives} for s in (a, b))
    if ours != theirs:
        raise UserError(
            f"the objectives differ: {_listed(ours)} in {a.label}; {_listed(theirs)} in {b.label}",
            hint="only fronts over the same objectives, in the same directions, compare",
        )
    order = [b.problem.names.index(name) for name in a.problem.names]
    moved = [b.problem.objectives[k] for k in order]
    notes: list[str] = []
    pairs = list(zip(a.problem.objectives, moved, strict=True))
    if any(x.ref != y.ref for x, y in pairs):
        shown = [", ".join(f"{p[k].name} {p[k].ref:.4g}" for p in pairs) for k in (0, 1)]
        notes.append(
            f"the reference points differ ({shown[0]}; {shown[1]}): both are measured against the "
            f"first, that of {a.label}"
        )
    units = [(x, y) for x, y in pairs if x.unit != y.unit]
    notes += [f"the unit of {x.name} differs: {x.unit!r} and {y.unit!r}" for x, y in units]
    points = b.points if order == sorted(order) else tuple(_reordered(p, order) for p in b.points)
    return replace(b, problem=a.problem, points=points), tuple(notes)


def _reordered(point: SidePoint, order: Sequence[int]) -> SidePoint:
    prompts = point.prompt_scores
    return SidePoint(
        point.snapshot_id,
        point.digest,
        tuple(point.scores[k] for k in order),
        tuple(point.stderr[k] for k in order),
        prompts[list(order)] if prompts.ndim == 2 else prompts,
        point.data,
    )


def _listed(directions: dict[str, str]) -> str:
    return ", ".join(f"{name} ({way})" for name, way in directions.items())


def front_gains(side: Side) -> FloatArray:
    """Return the gains of a front's points, shape (k, m)."""
    return gains_of(
        np.array([p.scores for p in side.points]).reshape(-1, side.problem.m), side.problem
    )


def prompt_gains_of(side: Side) -> FloatArray | None:
    """Return the gain of every prompt of every point, (k, m, n); None where some were not kept."""
    shapes = {p.prompt_scores.shape for p in side.points}
    if len(shapes) != 1 or len(shape := shapes.pop()) != 2 or shape[1] < 2:
        return None
    return np.stack([gains_of(p.prompt_scores.T, side.problem).T for p in side.points])


def _same_prompts(a: Side, b: Side) -> bool:
    prompts = {(p.data, p.prompt_scores.shape) for side in (a, b) for p in side.points}
    return len(prompts) == 1 and prompts.pop()[0] != ""


def _measured(side: Side, other: Side, prompt_gains: FloatArray | None) -> Measured:
    gains, theirs, ref = front_gains(side), front_gains(other), ref_gains(side.problem)
    beaten = [
        bool(((theirs >= row).all(axis=1) & (theirs > row).any(axis=1)).any()) for row in gains
    ]
    return Measured(
        side=side,
        hypervolume=hypervolume(gains, ref),
        interval=None if prompt_gains is None else hypervolume_interval(prompt_gains, ref),
        beaten=tuple(p for p, worse in zip(side.points, beaten, strict=True) if worse),
        covers=coverage(gains, theirs) if len(gains) and len(theirs) else 0.0,
    )
