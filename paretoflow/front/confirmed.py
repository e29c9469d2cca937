"""Decides what a confirmation says of a front: reported against confirmed, and what is beaten now.

The points were selected by their scores on the eval prompts; on fresh prompts nothing was selected,
so their means there are as often too low as too high.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import t as student

from paretoflow.core.confirmed import Confirmation, FreshFacts
from paretoflow.core.errors import UserError
from paretoflow.core.values import BASE_RUN_ID, FloatArray, Problem
from paretoflow.core.views import FrontPoint, FrontView, SweepView
from paretoflow.front.dominance import dominates
from paretoflow.front.hypervolume import hypervolume
from paretoflow.front.orient import gains_of, ref_gains
from paretoflow.front.worth import LEVEL, Interval, worth


@dataclass(frozen=True)
class ConfirmedPoint:
    """One point on the eval prompts, and on fresh ones.

    Args:
        reported: As it stands on the front.
        scores: Raw means on the fresh prompts, length m.
        stderr: Their standard errors, length m.
        changes: 95 % interval of confirmed less reported, of each objective; unpaired, since the
            prompts are others.
        over_base: 95 % interval of the point's scores less the base's, of each objective; paired
            over the fresh prompts. Empty for the base itself.
        beaten_by: A confirmed point that is better or equal in every objective on the fresh
            prompts, and better in one; empty for none.
    """

    reported: FrontPoint
    scores: tuple[float, ...]
    stderr: tuple[float, ...]
    changes: tuple[Interval, ...]
    over_base: tuple[Interval, ...]
    beaten_by: str

    @property
    def moved(self) -> tuple[bool, ...]:
        """Return of each objective whether it surely is not what was reported."""
        return tuple(low > 0 or high < 0 for low, high in self.changes)


@dataclass(frozen=True)
class ConfirmedFront:
    """Points of a front on fresh prompts.

    Args:
        points: In the order of the front.
        left_out: Points of the front that were not confirmed.
        reported: Hypervolume of these points on the eval prompts.
        hypervolume: On the fresh prompts.
        interval: 95 % interval of what the points are truly worth, by the fresh prompts.
    """

    problem: Problem
    facts: FreshFacts
    points: tuple[ConfirmedPoint, ...]
    left_out: tuple[str, ...]
    reported: float
    hypervolume: float
    interval: Interval

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        names = self.problem.names
        return {
            "source": self.facts.source,
            "prompts": self.facts.n,
            "data": self.facts.data,
            "notes": self.facts.lines(),
            "hypervolume_reported": self.reported,
            "hypervolume": self.hypervolume,
            "hypervolume_ci": list(self.interval),
            "points": [_plain(point, names) for point in self.points],
            "left_out": list(self.left_out),
        }


def _plain(point: ConfirmedPoint, names: Sequence[str]) -> dict[str, Any]:
    over = {n: list(ends) for n, ends in zip(names, point.over_base, strict=False)}
    return {
        "snapshot_id": point.reported.snapshot_id,
        "reported": dict(zip(names, point.reported.scores, strict=True)),
        "scores": dict(zip(names, point.scores, strict=True)),
        "stderr": dict(zip(names, point.stderr, strict=True)),
        "change_ci": {n: list(ends) for n, ends in zip(names, point.changes, strict=True)},
        "over_base_ci": over or None,
        "beaten_by": point.beaten_by or None,
    }


def confirmed_front(front: FrontView, known: Confirmation) -> ConfirmedFront:
    """Return what a confirmation says of the points of a front that it has.

    By hand, to maximise: reported (2, 2) and (3, 1), confirmed (1, 1) and (3, 1) on every prompt:
    the first is beaten, and against (0, 0) the two were worth 5 and are worth 3.
    """
    problem = front.problem
    kept = [p for p in front.points if p.snapshot_id not in known.left_out]
    clouds = np.stack([_gains(known.scores[p.snapshot_id].prompt_scores, problem) for p in kept])
    means, ref = clouds.mean(axis=2), ref_gains(problem)
    found = worth(clouds, np.arange(len(kept)), ref, selected=False)
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
        )
    found = confirmed_front(view.front, view.confirmation)
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
    half = float(student.ppf((1 + LEVEL) / 2, max(1, n - 1))) * errors
    return tuple((float(a), float(b)) for a, b in zip(middles - half, middles + half, strict=True))
