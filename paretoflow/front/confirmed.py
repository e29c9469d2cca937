"""Decides what a confirmation says of a front: reported against confirmed, and what is beaten now.

The points were selected by their scores on the eval prompts; on fresh prompts nothing was selected,
so their means there are as often too low as too high.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from paretoflow.core.confirmed import (
    BaseChange,
    Confirmation,
    ConfirmedFront,
    ConfirmedPoint,
    FreshFacts,
)
from paretoflow.core.errors import UserError
from paretoflow.core.front_point import FrontPoint
from paretoflow.core.values import BASE_RUN_ID, FloatArray, Problem
from paretoflow.core.views import FrontView, SweepView
from paretoflow.front.dominance import dominates
from paretoflow.front.hypervolume import hypervolume
from paretoflow.front.orient import gains_of, ref_gains
from paretoflow.front.student import Interval, student_interval
from paretoflow.front.worth import FRESH, worth


def confirmed_front(front: FrontView, known: Confirmation) -> ConfirmedFront:
    """Return what a confirmation says of the points of a front that it has.

    By hand, to maximise: reported (2, 2) and (3, 1), confirmed (1, 1) and (3, 1) on every prompt:
    the first is beaten, and against (0, 0) the two were worth 5 and are worth 3.
    """
    problem = front.problem
    kept = [p for p in front.points if p.snapshot_id not in known.left_out]
    clouds = np.stack([_gains(known.scores[p.snapshot_id].prompt_scores, problem) for p in kept])
    means, ref = clouds.mean(axis=2), ref_gains(problem)
    found = worth(clouds, np.arange(len(kept)), ref, rule=FRESH)
    base = _base_scores(known)
    points = []
    for number, point in enumerate(kept):
        rivals = (j for j in range(len(kept)) if dominates(means[j], means[number]))
        rival = next(rivals, None)
        scores = known.scores[point.snapshot_id].prompt_scores
        points.append(_point(point, scores, base, "" if rival is None else kept[rival].snapshot_id))
    reported = gains_of(np.array([p.scores for p in kept]), problem)
    return ConfirmedFront(
        problem=problem,
        facts=known.facts,
        points=tuple(points),
        left_out=known.left_out,
        reported=hypervolume(reported, ref),
        hypervolume=found.reported,
        interval=found.interval,
        base=_base_changes(known.facts, base, front.points[0].n),
    )


def confirmed_view(view: SweepView) -> FrontView:
    """Return the confirmed points of a front with the scores that they have on fresh prompts.

    Raises:
        UserError: If none was confirmed.
    """
    if view.confirmation is None:
        raise UserError(
            f"no point of {view.front.name} was confirmed",
            hint="run `paretoflow confirm` on the sweep first",
            code="usage-no-point",
        )
    found = view.confirmation
    points = [
        replace(p.reported, scores=p.scores, stderr=p.stderr, n=found.facts.n) for p in found.points
    ]
    return replace(
        view.front,
        points=tuple(points),
        hypervolume=found.hypervolume,
        hypervolume_ci=found.interval,
        hypervolume_corrected=None,
    )


def _gains(prompt_scores: FloatArray, problem: Problem) -> FloatArray:
    return gains_of(prompt_scores.T, problem).T


def _base_scores(known: Confirmation) -> FloatArray | None:
    scores: Mapping[str, Any] = known.scores
    found = [s.prompt_scores for name, s in scores.items() if name.startswith(BASE_RUN_ID)]
    return found[0] if found else None


def _base_changes(
    facts: FreshFacts, scores: FloatArray | None, evals: int
) -> tuple[BaseChange, ...]:
    if scores is None or not facts.base:
        return ()
    n = scores.shape[1]
    means, errors = scores.mean(axis=1), scores.std(axis=1, ddof=1) / np.sqrt(n)
    apart = np.hypot(errors, np.nan_to_num(np.array(facts.base_stderr)))
    changes = _intervals(means - np.array(facts.base), apart, min(n, evals))
    told = zip(facts.base, map(float, means), changes, strict=True)
    return tuple(BaseChange(*each) for each in told)


def _point(
    point: FrontPoint, scores: FloatArray, base: FloatArray | None, beaten_by: str
) -> ConfirmedPoint:
    n = scores.shape[1]
    means, errors = scores.mean(axis=1), scores.std(axis=1, ddof=1) / np.sqrt(n)
    apart = np.hypot(errors, np.nan_to_num(np.array(point.stderr)))
    changes = _intervals(means - np.array(point.scores), apart, min(n, point.n))
    over: tuple[Interval, ...] = ()
    if base is not None and point.run_id != BASE_RUN_ID:
        more = scores - base
        over = _intervals(more.mean(axis=1), more.std(axis=1, ddof=1) / np.sqrt(n), n)
    return ConfirmedPoint(
        point, tuple(map(float, means)), tuple(map(float, errors)), changes, over, beaten_by
    )


def _intervals(middles: FloatArray, errors: FloatArray, n: int) -> tuple[Interval, ...]:
    pairs = zip(middles, errors**2, strict=True)
    return tuple(student_interval(middle, variance, n - 1) for middle, variance in pairs)
