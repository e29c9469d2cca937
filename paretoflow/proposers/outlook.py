"""Decides what a further run should add to the front, so that a sweep may stop when it adds little.

Two things are known of it. The runs so far added something, ever less: what the latest of them
added is carried forward to the next. And the front leaves boxes open: what they hold bounds what is
left, as far as the front is right, and is all there is to go by before any run has filled one. All
numbers are shares of the present hypervolume.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paretoflow.core.values import FloatArray, History, Proposal
from paretoflow.front.dominance import nondominated
from paretoflow.front.hypervolume import hypervolume, improvement
from paretoflow.proposers.asked import Asked
from paretoflow.proposers.boxes import MAX_POINTS, landscape, local_lower_bounds
from paretoflow.proposers.spread import farthest_first

AHEAD = 8
"""The estimate is of the mean over so many further runs: what a single one adds is mostly luck."""
FEWEST = 3
"""Runs after the opening stage before there is an estimate."""
WINDOW = 20
"""Latest runs that are looked at; older ones weigh next to nothing."""
KEEP = 0.8
"""Weight of a run relative to the one after it."""
FILLED = 0.05
"""Share of the largest open box that a run is expected to fill before any has tried. The middle of
a straight gap fills a quarter, but many runs find nothing: a weighted one never fills a gap that
bulges inwards."""
SPREAD = 2.0
"""Coefficient of variation of what single runs add, before any has."""
DOUBT = 0.5
"""A point's gain counts beyond so many standard errors of its own: the rest may be luck."""
MANY_OBJECTIVES = 5
FEW_POINTS = 12
"""From so many objectives on, boxes are drawn between so few points, or they take seconds."""
TAIL = 1.2816
"""Quantile of the standard normal distribution that leaves a tenth: intervals are of 80 %."""


@dataclass(frozen=True)
class GainEstimate:
    """What further runs should add, as shares of the present hypervolume.

    Args:
        per_run: Expected of each of the next `AHEAD` runs, in the mean.
        low: Lower end of an interval for that mean, 80 %.
        high: Upper end.
        bound: What all further runs can add together, if the front is right: what its boxes hold.
    """

    per_run: float
    low: float
    high: float
    bound: float


def expected_gain(history: History, pending: Sequence[Proposal] = ()) -> GainEstimate | None:
    """Return what a further run should add to the hypervolume.

    A failed run added nothing and counts as one that did. The checkpoints of a run that has not
    ended are on the front, and count for nobody yet.

    Args:
        history: Ended runs and evaluations.
        pending: Launches that have not ended; only whether the opening stage is over matters.

    Returns:
        None until the opening stage and `FEWEST` further runs have ended, and while nothing is
        above the reference point.
    """
    opening = opening_runs(history)
    under_way = any(p.tag == "initial" for p in pending)
    if under_way or len(history.runs) < opening + FEWEST:
        return None
    volume = hypervolume(history.gains[history.front], history.ref)
    if volume <= 0:
        return None
    largest, bound = open_shares(history)
    first = max(opening, len(history.runs) - WINDOW)
    added = added_by_run(history, first) / volume
    m = history.problem.m
    per_run, low, high = forecast(added, first, FILLED * largest, m / (m - 1))
    return GainEstimate(per_run, low, high, bound)


def opening_runs(history: History) -> int:
    """Return how many runs opened the sweep: all up to the last tagged so, at least m + 1."""
    tagged = [i for i, run in enumerate(history.runs) if run.proposal.tag == "initial"]
    return max(history.problem.m + 1, tagged[-1] + 1 if tagged else 0)


def added_by_run(history: History, first: int) -> FloatArray:
    """Return how much hypervolume the evaluations of each run added when they came.

    A point counts at its gains less `DOUBT` standard errors, against a front that was taken at its
    word: noise alone adds hardly anything.

    By hand: beyond (0, 0), run 0 at (2, 1) makes a front of 2; run 1 at (1, 2) adds 1.

    Args:
        history: Ended runs and evaluations.
        first: Runs before this one are not asked about.

    Returns:
        Hypervolumes, shape (n,), one for each of `history.runs[first:]`, in raw units.
    """
    added = np.zeros(len(history.runs) - first)
    owners = history.run_index
    front = history.gains[owners < first]
    front = front[nondominated(front)]
    for row in np.flatnonzero(owners >= first):
        point = history.gains[row]
        if (front >= point).all(axis=1).any():
            continue
        certain = point - DOUBT * history.stderr[row]
        added[owners[row] - first] += improvement(certain[None], front, history.ref)[0]
        front = np.vstack([front[~(front <= point).all(axis=1)], point])
    return added


def open_shares(history: History) -> tuple[float, float]:
    """Return what the front leaves open, as shares of its hypervolume.

    A better point lies below one of the front's upper bounds; a side that the standard errors
    cannot tell from none holds nothing.

    By hand: gains (0, 1), (.5, .5), (1, 0) with the reference at (-.1, -.1): a hypervolume of
    .46, and two boxes of .25. Less the narrowest side worth a run, .01, one run adds at most
    .49 * .49 = .2401, a share of .52; both boxes hold twice that.

    Returns:
        The most that one run can add, and that all can add together. A front of many points is
        looked at by a few of them, and both are then bounds from above: loose ones from
        `MANY_OBJECTIVES` on, where no more can be looked at in the time.
    """
    land = landscape(history, Asked(), ())
    points = land.gains[(land.gains > land.ref).all(axis=1)]
    if not len(points):
        return 0.0, 0.0
    extremes = list(dict.fromkeys(points.argmax(axis=0).tolist()))
    many = len(land.ref) >= MANY_OBJECTIVES
    more = (FEW_POINTS if many else MAX_POINTS) - len(extremes)
    some = points[[*extremes, *farthest_first(points, points[extremes], more)]]
    uppers = -local_lower_bounds(-some, -points.max(axis=0)[None], -land.ref)
    if not len(uppers):
        return 0.0, 0.0
    reach = np.maximum(uppers - land.noise, land.ref)
    volume = hypervolume(points, land.ref)
    largest = float(improvement(reach, some if many else points, land.ref).max())
    whole = hypervolume(np.vstack([points, reach]), land.ref) - volume
    return largest / volume, max(largest, whole) / volume  # rounding, where nothing is open


def forecast(
    added: FloatArray, before: int, expected: float, power: float
) -> tuple[float, float, float]:
    """Return the mean that each of the next `AHEAD` runs should add, and an 80 % interval for it.

    What run i of n added is carried forward by (i / n) ** power: between k points of a front of m
    objectives, gaps are as wide as k ** (-1 / (m - 1)), and a run that fills one adds that to the
    power of m. The mean is weighted, newer runs more; what was expected before any of them counts
    as one more run, the oldest. The interval has the width that the spread of the carried gains
    gives to the mean and to `AHEAD` draws around it.

    By hand: with power 0 and `KEEP` 0.8, two runs that added .2 and 0 after .1 was expected make it
    (.64 * .1 + .8 * .2 + 1 * 0) / 2.44 = .0918.

    Args:
        added: What each run after the opening added, shape (n,), in the order of the runs.
        before: Runs before the first of them.
        expected: What the first one was expected to add.
        power: How fast gains fall with the number of runs.

    References:
        Bringmann and Friedrich (2013), Approximation quality of the hypervolume indicator, sec. 3:
        the gap that the best k points leave, for two objectives; the power for m is the scaling
        of evenly spread points, not theirs.
    """
    count = len(added)
    now = before + count + (1 + AHEAD) / 2
    carried = np.append(expected, added * ((before + np.arange(count) + 1) / now) ** power)
    weights = KEEP ** np.arange(count, -1, -1.0)
    total = weights.sum()
    mean = float(weights @ carried / total)
    # one more run, as spread as is expected, keeps a few equal gains from looking certain
    variance = (weights @ (carried - mean) ** 2 + (SPREAD * mean) ** 2) / (total + 1)
    effective = total**2 / (weights @ weights)
    reach = TAIL * float(np.sqrt(variance * (1 / effective + 1 / AHEAD)))
    return mean, max(0.0, mean - reach), mean + reach
