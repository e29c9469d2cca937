"""Compares two fronts: difference in volume with its interval, and difference in points.

Both are measured against the first front's reference point, so that their volumes compare.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from paretoflow.core.errors import UserError
from paretoflow.core.values import FloatArray
from paretoflow.front.claimed import claimed_worth
from paretoflow.front.compared import Difference, Measured, Side
from paretoflow.front.hypervolume import hypervolume
from paretoflow.front.indicators import coverage
from paretoflow.front.orient import gains_of, ref_gains
from paretoflow.front.worth import Worth, worth_less


def difference(a: Side, b: Side) -> Difference:
    """Return the difference of front `b` from front `a`.

    Raises:
        UserError: If the fronts do not have the same objectives with the same directions.
    """
    b, notes = aligned(a, b)
    of_a, of_b = side_worth(a), side_worth(b)
    paired = _same_prompts(a, b)
    interval = None
    if of_a is None or of_b is None:
        notes += ("no intervals: scores of single prompts were not kept",)
    else:
        interval = worth_less(of_a, of_b, paired=paired, shared=_shared(a, b))
        if not paired:
            notes += ("unpaired interval: the two were not scored on the same prompts",)
    first, second = _measured(a, b, of_a), _measured(b, a, of_b)
    names = {p.identity for p in a.points}, {p.identity for p in b.points}
    return Difference(
        a=first,
        b=second,
        change=second.hypervolume - first.hypervolume,
        corrected=None if interval is None else (interval[0] + interval[1]) / 2,
        interval=interval,
        paired=paired and interval is not None,
        kept=tuple(p for p in b.points if p.identity in names[0]),
        gained=tuple(p for p in b.points if p.identity not in names[0]),
        lost=tuple(p for p in a.points if p.identity not in names[1]),
        notes=notes,
    )


def aligned(a: Side, b: Side) -> tuple[Side, tuple[str, ...]]:
    """Return `b` with the objectives, and so the reference point, of `a`, and notes.

    Raises:
        UserError: If the objectives differ.
    """
    ours, theirs = ({o.name: o.direction.value for o in s.problem.objectives} for s in (a, b))
    if ours != theirs:
        raise UserError(
            f"the objectives differ: {_listed(ours)} in {a.label}; {_listed(theirs)} in {b.label}",
            hint="only fronts over the same objectives, in the same directions, compare",
            code="usage-not-comparable",
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
    b = replace(b, problem=a.problem)
    if order != sorted(order):
        points, others = (tuple(p.ordered(order) for p in all_) for all_ in (b.points, b.others))
        b = replace(b, points=points, others=others)
    return b, tuple(notes)


def _listed(directions: dict[str, str]) -> str:
    return ", ".join(f"{name} ({way})" for name, way in directions.items())


def front_gains(side: Side) -> FloatArray:
    """Return the gains of a front's points, shape (k, m)."""
    return gains_of(
        np.array([p.scores for p in side.points]).reshape(-1, side.problem.m), side.problem
    )


def side_worth(side: Side) -> Worth | None:
    """Return the worth of a front; see `claimed_worth`."""
    rows = (*side.points, *side.others)
    return claimed_worth(rows, range(len(side.points)), side.problem)


def _shared(a: Side, b: Side) -> float:
    """Return the share of the smaller side's evaluations that the other side has as well."""
    names = [{p.identity for p in (*side.points, *side.others)} for side in (a, b)]
    return len(names[0] & names[1]) / max(1, min(map(len, names)))


def _same_prompts(a: Side, b: Side) -> bool:
    prompts = {(p.data, p.prompt_scores.shape) for side in (a, b) for p in side.points}
    return len(prompts) == 1 and prompts.pop()[0] != ""


def _measured(side: Side, other: Side, worth: Worth | None) -> Measured:
    gains, theirs, ref = front_gains(side), front_gains(other), ref_gains(side.problem)
    beaten = [
        bool(((theirs >= row).all(axis=1) & (theirs > row).any(axis=1)).any()) for row in gains
    ]
    return Measured(
        side=side,
        hypervolume=hypervolume(gains, ref),
        corrected=None if worth is None else worth.corrected,
        interval=None if worth is None else worth.interval,
        beaten=tuple(p for p, worse in zip(side.points, beaten, strict=True) if worse),
        covers=coverage(gains, theirs) if len(gains) and len(theirs) else 0.0,
    )
