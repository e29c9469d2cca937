"""Values in words, for every chart, table and card."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from paretoflow.core.confirmed import ConfirmedFront, ConfirmedPoint
from paretoflow.core.front_point import FrontPoint
from paretoflow.core.shown import shown
from paretoflow.core.values import Direction, ObjectiveInfo, Problem
from paretoflow.core.views import FrontView
from paretoflow.front.compared import Difference
from paretoflow.front.orient import scores_of


def axis_title(objective: ObjectiveInfo) -> str:
    """Return an axis title; axes are oriented so that better is always up and to the right."""
    better = "more" if objective.direction is Direction.MAXIMIZE else "less"
    unit = f" [{objective.unit}]" if objective.unit else ""
    return shown(f"{objective.name}{unit}, {better} is better")


def score_text(score: float, stderr: float) -> str:
    """Return a score with its standard error, both to the error's second digit."""
    if not np.isfinite(stderr) or stderr <= 0:
        return f"{score:.4g}"
    digits = int(np.clip(1 - np.floor(np.log10(stderr)), 0, 6))
    return f"{score:.{digits}f} ± {stderr:.{digits}f}"


def interval_text(
    reported: float, corrected: float | None, interval: tuple[float, float] | None
) -> str:
    """Return the reported and corrected hypervolume with its interval, if known."""
    if corrected is None or interval is None:
        return f"{reported:.4g}"
    ends = f"95 % {interval[0]:.4g} to {interval[1]:.4g}"
    return f"{reported:.4g} reported, {corrected:.4g} corrected ({ends})"


def worth_text(front: FrontView) -> str:
    """Return a front's reported and corrected hypervolume, with its interval."""
    return interval_text(front.hypervolume, front.hypervolume_corrected, front.hypervolume_ci)


def doubt_text(point: FrontPoint) -> str:
    """Return the rival that may truly beat a point, and the probability."""
    return f"{point.rival} may be better in every objective ({point.doubt:.0%})"


def change_text(found: Difference) -> str:
    """Return the hypervolume of the second front less that of the first, with its interval."""
    text = f"hypervolume of B less that of A: {found.change:+.4g}"
    if found.interval is None or found.corrected is None:
        return text
    low, high = found.interval
    how = "paired over the same prompts" if found.paired else "unpaired"
    verdict = "; 0 is within" if low <= 0 <= high else ""
    ends = f"95 % {low:+.4g} to {high:+.4g}, {how}{verdict}"
    return f"{text} reported, {found.corrected:+.4g} corrected ({ends})"


def weights_text(weights: Sequence[float] | None, problem: Problem) -> str:
    """Return weights by name; a dash for the base, which was not trained."""
    if weights is None:
        return "–"  # noqa: RUF001
    return ", ".join(f"{n} {w:.2f}" for n, w in zip(problem.names, weights, strict=True))


def thresholds_text(thresholds: Sequence[float], problem: Problem) -> str:
    """Return thresholds (gains) as bounds on raw scores, without unbounded objectives."""
    bounds = scores_of(np.asarray(thresholds, dtype=np.float64), problem)
    return ", ".join(
        f"{o.name} {'≥' if o.direction is Direction.MAXIMIZE else '≤'} {b:.4g}"
        for o, b in zip(problem.objectives, bounds, strict=True)
        if np.isfinite(b)
    )


def place_name(label: str) -> str:
    """Return the name of a sweep or an export on a page, without folders, since pages are shared.

    By hand: `s3://bucket/team/quickstart@3` is `quickstart@3`.
    """
    return shown(label.rstrip("/").rpartition("/")[2] or label)


def seconds_text(seconds: float) -> str:
    """Return a duration in seconds, minutes or hours, depending on its size."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    if seconds < 7200:
        return f"{seconds / 60:.3g} min"
    return f"{seconds / 3600:.3g} h"


def confirmed_cells(point: ConfirmedPoint) -> list[tuple[str, str, str]]:
    """Return the reported score, the confirmed score, and the gain over the base, by objective.

    An `!` marks a score that clearly differs from the reported one. The gain is a 95 % interval,
    empty for the base.
    """
    cells = []
    for k, moved in enumerate(point.moved):
        was = score_text(point.reported.scores[k], point.reported.stderr[k])
        now = score_text(point.scores[k], point.stderr[k]) + (" !" if moved else "")
        ends = point.over_base[k] if point.over_base else None
        cells.append((was, now, "" if ends is None else f"{ends[0]:+.3g} to {ends[1]:+.3g}"))
    return cells


def _beside_corrected(found: ConfirmedFront, front: FrontView) -> list[str]:
    """Return the confirmed hypervolume less the corrected one of the eval prompts."""
    promised = front.hypervolume_corrected
    if found.left_out or promised is None:
        return []
    low, high = found.interval
    half = math.hypot(front.hypervolume_ci[1] - promised, (high - low) / 2)
    change = found.hypervolume - promised
    told = f"confirmed less corrected: {change:+.3g} (95 % {change - half:+.3g} to "
    told += f"{change + half:+.3g}), "
    return [told + ("rarer than 1 in 20 by chance" if abs(change) > half else "as chance explains")]


def _base_text(found: ConfirmedFront) -> list[str]:
    if not found.base:
        return []
    pairs = zip(found.problem.names, found.base, strict=True)
    told = ", ".join(
        f"{name} {b.reported:.3g} became {b.confirmed:.3g}{' !' if b.moved else ''}"
        for name, b in pairs
    )
    return [f"the base, which nothing selected, tells how the prompts differ: {told}"]


def confirmed_text(found: ConfirmedFront, front: FrontView) -> list[str]:
    """Return the results of a confirmation, each in one or two sentences."""
    ref = ", ".join(f"{o.name} {o.ref:.4g}" for o in found.problem.objectives)
    reported = f"{found.reported:.4g} reported"
    if not found.left_out and front.hypervolume_corrected is not None:
        reported += f", {front.hypervolume_corrected:.4g} corrected"
    low, high = found.interval
    moved = sum(any(point.moved) for point in found.points)
    beaten = sum(bool(point.beaten_by) for point in found.points)
    told = [
        f"hypervolume {reported}, {found.hypervolume:.4g} confirmed (95 % {low:.4g} to {high:.4g}) "
        f"against {ref}",
        *_beside_corrected(found, front),
        *_base_text(found),
        f"{moved} of {len(found.points)} points are surely not what was reported in some "
        f"objective (!); {beaten} are beaten by another on the fresh prompts",
        f"fresh prompts: {found.facts.n}, {found.facts.source}",
        *found.facts.lines(),
    ]
    if found.left_out:
        told.append(f"{len(found.left_out)} points of the front were not confirmed")
    return told
