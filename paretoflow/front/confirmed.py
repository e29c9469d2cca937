"""Compares the confirmed scores of a front with the reported ones, and finds beaten points.

The points were selected by their scores on the eval prompts. Nothing was selected on the fresh
prompts, so the means there are as often too low as too high.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from paretoflow.core.confirmed import (
    BaseChange,
    Confirmation,
    ConfirmedFront,
    ConfirmedPoint,
    FreshFacts,
)
from paretoflow.core.errors import UserError
from paretoflow.core.evaluation import Evaluation, standard_errors
from paretoflow.core.front_point import FrontPoint
from paretoflow.core.values import BASE_RUN_ID, FloatArray, Problem
from paretoflow.core.views import FrontView, SweepView
from paretoflow.front.dominance import dominates
from paretoflow.front.hypervolume import hypervolume
from paretoflow.front.orient import gains_of, ref_gains
from paretoflow.front.student import Interval, student_interval
from paretoflow.front.worth import FRESH, worth


def confirmed_front(front: FrontView, known: Confirmation) -> ConfirmedFront:
    """Return the confirmed front: the points of a front that a confirmation has scored.

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
        beaten_by = "" if rival is None else kept[rival].snapshot_id
        points.append(_point(point, known.scores[point.snapshot_id], base, beaten_by))
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
    """Return the confirmed points of a front with their scores on fresh prompts.

    Raises:
        UserError: If no point was confirmed.
    """
    if view.confirmation is None:
        raise UserError(
            f"no point of {view.front.name} was confirmed",
            hint="run `paretoflow confirm` on the sweep first",
            code="usage-no-point",
        )
    found = view.confirmation
    points = [_with_scores(p.reported, p.fresh) for p in found.points]
    return replace(
        view.front,
        points=tuple(points),
        hypervolume=found.hypervolume,
        hypervolume_ci=found.interval,
        hypervolume_corrected=None,
    )


def _with_scores(point: FrontPoint, fresh: Evaluation) -> FrontPoint:
    evaluation = replace(
        point.evaluation,
        scores=fresh.scores,
        stderr=fresh.stderr,
        prompt_scores=fresh.prompt_scores,
        n=fresh.n,
    )
    return replace(point, evaluation=evaluation)


def _gains(prompt_scores: FloatArray, problem: Problem) -> FloatArray:
    return gains_of(prompt_scores.T, problem).T


def _base_scores(known: Confirmation) -> Evaluation | None:
    found = [s for name, s in known.scores.items() if name.startswith(BASE_RUN_ID)]
    return found[0] if found else None


def _base_changes(facts: FreshFacts, base: Evaluation | None, evals: int) -> tuple[BaseChange, ...]:
    if base is None or not facts.base:
        return ()
    apart = np.hypot(base.stderr, np.nan_to_num(np.array(facts.base_stderr)))
    changes = _intervals(base.scores - np.array(facts.base), apart, min(base.n, evals))
    told = zip(facts.base, base.scores.tolist(), changes, strict=True)
    return tuple(BaseChange(*each) for each in told)


def _point(
    point: FrontPoint, fresh: Evaluation, base: Evaluation | None, beaten_by: str
) -> ConfirmedPoint:
    reported = point.evaluation
    apart = np.hypot(fresh.stderr, np.nan_to_num(reported.stderr))
    changes = _intervals(fresh.scores - reported.scores, apart, min(fresh.n, reported.n))
    over: tuple[Interval, ...] = ()
    if base is not None and point.run_id != BASE_RUN_ID:
        more = fresh.prompt_scores - base.prompt_scores
        over = _intervals(more.mean(axis=1), standard_errors(more), fresh.n)
    return ConfirmedPoint(point, fresh, changes, over, beaten_by)


def _intervals(middles: FloatArray, errors: FloatArray, n: int) -> tuple[Interval, ...]:
    pairs = zip(middles, errors**2, strict=True)
    return tuple(student_interval(middle, variance, n - 1) for middle, variance in pairs)
