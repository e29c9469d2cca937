"""Expected hypervolume gain of a further run, so that a sweep may stop when runs add little.

The estimate has two sources. The gains of the latest runs, which shrink over time, are carried
forward to the next. And the volume of the boxes that the front leaves open bounds the gain, as far
as the front is right; before any run has filled a box, the estimate uses the boxes alone. All
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
"""Number of further runs that the estimate averages over: the gain of a single run is mostly luck.
"""
FEWEST = 3
"""Number of runs after the opening stage before there is an estimate."""
WINDOW = 20
"""Number of latest runs in the estimate; older ones have almost no weight."""
KEEP = 0.8
"""Weight of a run relative to the one after it."""
FILLED = 0.05
"""Share of the largest open box that a run is expected to fill, before any run. The middle of a
straight gap fills a quarter, but many runs add nothing: a weighted run never fills a concave gap.
"""
SPREAD = 2.0
"""Prior coefficient of variation of the gains of single runs."""
DOUBT = 0.5
"""Number of its standard errors by which a point's gain is lowered: the rest may be luck."""
MANY_OBJECTIVES = 5
FEW_POINTS = 12
"""Number of points between which boxes are drawn from `MANY_OBJECTIVES` on; more take seconds."""
TAIL = 1.2816
"""Quantile of the standard normal distribution that leaves a tenth: intervals are of 80 %."""


@dataclass(frozen=True)
class GainEstimate:
    """Expected gain of further runs, as shares of the present hypervolume.

    Args:
        per_run: Expected mean gain of each of the next `AHEAD` runs.
        low: Lower end of the 80 % interval for that mean.
        high: Upper end of the interval.
        bound: Upper bound of the gain of all further runs together, if the front is right: the
            volume of its open boxes.
    """

    per_run: float
    low: float
    high: float
    bound: float


def expected_gain(history: History, pending: Sequence[Proposal] = ()) -> GainEstimate | None:
    """Return the expected hypervolume gain of a further run.

    A failed run counts as a run with gain 0. The checkpoints of a run that has not ended are on the
    front, but count for no run yet.

    Args:
        history: Ended runs and evaluations.
        pending: Pending launches; they only show whether the opening stage is over.

    Returns:
        None until the opening stage and `FEWEST` further runs have ended, and while no point is
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
    """Return the number of opening runs: all up to the last with tag `initial`, at least m + 1."""
    tagged = [i for i, run in enumerate(history.runs) if run.proposal.tag == "initial"]
    return max(history.problem.m + 1, tagged[-1] + 1 if tagged else 0)


def added_by_run(history: History, first: int) -> FloatArray:
    """Return the hypervolume that the evaluations of each run added when they were recorded.

    A point counts at its gains less `DOUBT` standard errors, against a front of unlowered gains: so
    noise alone adds hardly anything.

    By hand: beyond (0, 0), run 0 at (2, 1) makes a front of 2; run 1 at (1, 2) adds 1.

    Args:
        history: Ended runs and evaluations.
        first: Index of the first run to return.

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
    """Return the volume that the front leaves open, as shares of its hypervolume.

    A better point lies below one of the front's upper bounds. A box with a side within the standard
    errors counts as empty.

    By hand: gains (0, 1), (.5, .5), (1, 0) with the reference at (-.1, -.1): a hypervolume of
    .46, and two boxes of .25. Less the narrowest side worth a run, .01, one run adds at most
    .49 * .49 = .2401, a share of .52; both boxes hold twice that.

    Returns:
        The largest gain of one run, and of all runs together. For a front of many points, only a
        few of them are used, and both numbers are then upper bounds: loose ones from
        `MANY_OBJECTIVES` on, where more points would take too long.
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
    return largest / volume, max(largest, whole) / volume  # rounding, if no box is open


def forecast(
    added: FloatArray, before: int, expected: float, power: float
) -> tuple[float, float, float]:
    """Return the expected mean gain of the next `AHEAD` runs, and its 80 % interval.

    The gain of run i of n is carried forward by (i / n) ** power: between k points of a front of m
    objectives, gaps are as wide as k ** (-1 / (m - 1)), and a run that fills one adds that to the
    power of m. The mean is weighted, newer runs more. The prior expectation counts as one more run,
    the oldest. The width of the interval follows from the spread of the carried gains, for the mean
    and for `AHEAD` draws around it.

    By hand: with power 0 and `KEEP` 0.8, two runs that added .2 and 0 after .1 was expected make it
    (.64 * .1 + .8 * .2 + 1 * 0) / 2.44 = .0918.

    Args:
        added: Gain of each run after the opening, shape (n,), in the order of the runs.
        before: Number of runs before the first of them.
        expected: Prior expectation of the first one's gain.
        power: Power of the number of runs by which gains fall.

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
    # one more run, with the prior spread, keeps a few equal gains from looking certain
    variance = (weights @ (carried - mean) ** 2 + (SPREAD * mean) ** 2) / (total + 1)
    effective = total**2 / (weights @ weights)
    reach = TAIL * float(np.sqrt(variance * (1 / effective + 1 / AHEAD)))
    return mean, max(0.0, mean - reach), mean + reach
