"""Boxes that the front leaves open, where better points may lie, less the parts already explored.

All numbers here are normalised gains, 0 at the nadir and 1 at the ideal. A better point is
dominated by no front point and, if the front is right, dominates none. So it lies above one of the
front's local lower bounds and below one of its local upper bounds, which makes a box. A constrained
launch explores the box: it raises objective l while the others stay above thresholds half-way.
After the launch, whatever its result, all places that would have been a better result are deleted
for that objective; each further launch halves the box. Training is no exact oracle: when everything
is deleted, the oldest half of the launches is ignored and their boxes come back.

References:
    Klamroth, Lacour and Vanderpooten (2015), On the representation of the search region in
    multi-objective optimization, EJOR 245(3): local bounds and their update.
    Röpke et al. (2024), arXiv 2402.07182 (IPRO): boxes deleted on success and on failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paretoflow.core.values import FloatArray, History, IntArray, LaunchKind, Proposal
from paretoflow.front.dominance import nondominated
from paretoflow.proposers.asked import Asked
from paretoflow.proposers.ranges import normalised_ref, scale_of
from paretoflow.proposers.spread import farthest_first

NARROWEST = 0.01
"""Shortest side of a box that is worth a run, as a share of the range, however exact the scores."""
MAX_POINTS = 24
"""Largest number of front points, far from each other, that boxes lie between: beyond two
objectives the number of boxes grows as a power of the number of points."""
MAX_QUESTIONS = 64
"""Number of latest launches towards an objective whose deletions count; points fill older ones."""
BELIEVED = -1


@dataclass(frozen=True)
class Landscape:
    """Front of the known and expected points, normalised.

    Args:
        gains: Shape (n, m), mutually non-dominated.
        noise: Smallest difference that distinguishes two points, shape (m,): their combined
            standard errors, at least `NARROWEST`.
        rows: Row of each point in the history, shape (n,); -1 for an expected point.
        startable: Mask of the points where a run can start, shape (n,): not the base model or an
            expected point.
        questions: For each objective, the thresholds of the latest launches towards it, shape
            (q, m), the pending ones last; one more than `MAX_QUESTIONS`, if there are so many.
        ref: Reference point, shape (m,); only points above it count.
        waiting: Number of pending launches.
    """

    gains: FloatArray
    noise: FloatArray
    rows: IntArray
    startable: NDArray[np.bool_]
    questions: tuple[FloatArray, ...]
    ref: FloatArray
    waiting: int


@dataclass(frozen=True)
class Box:
    """Box in which a better point may lie, less the deletions by one objective's launches.

    Args:
        target: Objective to improve.
        lower: Lower corner, shape (m,): a point in the box exceeds it.
        upper: Upper corner, shape (m,): the best that a point can reach.
        again: Whether the box had been deleted.
    """

    target: int
    lower: FloatArray
    upper: FloatArray
    again: bool = False

    @property
    def side(self) -> FloatArray:
        """Return the lengths of the sides, shape (m,)."""
        return self.upper - self.lower

    @property
    def volume(self) -> float:
        """Return the hypervolume of the box, as a share of the ranges' product."""
        return float(self.side.prod())


@dataclass(frozen=True)
class Way:
    """A launch into a box.

    Args:
        box: The box to explore.
        parent: Index of the point to start from.
        thresholds: Lower bounds of the other objectives, shape (m,); the target's own entry is the
            middle of the box, the gain that the launch should pass.
        shortfall: Sum of the amounts by which the parent misses the thresholds.
    """

    box: Box
    parent: int
    thresholds: FloatArray
    shortfall: float

    @property
    def rank(self) -> tuple[float, float, float]:
        """Return the sort key of ways, larger first.

        Of two ways into the same box, the one with the nearer parent is better, then the one that
        halves the longer side.
        """
        side = float(self.box.side[self.box.target])
        return round(self.box.volume, 12), -round(self.shortfall, 12), -round(side, 12)


def landscape(history: History, asked: Asked, pending: Sequence[Proposal]) -> Landscape:
    """Return the front, with pending constrained launches counted as reaching their aim.

    Args:
        history: Ended runs and evaluations.
        asked: Every launch so far, the pending ones last.
        pending: Pending launches.
    """
    m, front, scale = history.problem.m, history.front, scale_of(history)
    constrained = (p for p in pending if p.kind is LaunchKind.CONSTRAINED)
    believed = _matrix([p.thresholds for p in constrained if p.thresholds is not None], m)
    believed = believed[np.isfinite(believed).all(axis=1)]
    gains = (np.vstack([history.gains[front], believed]) - history.nadir) / scale
    rows = np.concatenate([front, np.full(len(believed), BELIEVED)]).astype(np.int64)
    trained = np.concatenate([history.run_index[front] != -1, np.zeros(len(believed), np.bool_)])
    variance = (history.stderr[front] / scale) ** 2
    noise = np.sqrt(2 * variance.mean(axis=0)) if len(front) else np.zeros(m)
    towards = [_matrix(asked.questions(i, MAX_QUESTIONS + 1), m) for i in range(m)]
    kept = nondominated(gains)
    return Landscape(
        gains=gains[kept],
        noise=np.maximum(noise, NARROWEST),
        rows=rows[kept],
        startable=trained[kept],
        questions=tuple((thresholds - history.nadir) / scale for thresholds in towards),
        ref=normalised_ref(history),
        waiting=len(pending),
    )


def largest_box(land: Landscape, slack: float) -> Way | None:
    """Return the best way into the largest box; None when no box is worth a run.

    Args:
        land: The front and the launches towards each objective.
        slack: Room below the middle of a box, normalised.
    """
    if not land.startable.any():
        return None
    ways = [_way_into(box, land, slack) for box in open_boxes(land, 1)]
    return max(ways, key=lambda way: way.rank, default=None)


def open_boxes(land: Landscape, most: int) -> list[Box]:
    """Return up to `most` boxes of each target, the largest first, that no launch has deleted.

    When all are deleted, the oldest half of the launches is ignored.
    """
    lowers, uppers = _open_region(land)
    asked = max(len(questions) for questions in land.questions)
    keep = min(asked, MAX_QUESTIONS)
    boxes = _largest_boxes(land, lowers, uppers, keep, most)
    while not boxes and keep > land.waiting:
        keep = max(keep // 2, land.waiting)
        boxes = _largest_boxes(land, lowers, uppers, keep, most)
    return boxes


def local_lower_bounds(points: FloatArray, bounds: FloatArray, limit: FloatArray) -> FloatArray:
    """Return the corners above which no place is dominated by any of the points.

    By hand: points (0, 3), (3, 0) leave the bound (0, 0) as it is; (2, 1) makes it (0, 1), (2, 0).

    Args:
        points: Shape (n, m).
        bounds: Where to begin, shape (j, m): the lower corner of the region, or earlier bounds.
        limit: Upper corner of the region, shape (m,); a bound on its edge is left out.

    Returns:
        Bounds, shape (k, m), none above another.
    """
    # bounds only rise: a point that is above none of them at the start never will be
    above = np.all(bounds[None, :, :] < points[:, None, :], axis=2)
    for point in points[np.any(above, axis=1)]:
        hit = (bounds < point).all(axis=1)
        if not hit.any():
            continue
        raised = np.repeat(bounds[hit][:, None, :], len(point), axis=1)
        diagonal = np.arange(len(point))
        raised[:, diagonal, diagonal] = point
        new = _distinct(raised.reshape(-1, len(point)))
        new = new[(new < limit).all(axis=1)]
        others = np.vstack([bounds[~hit], new])
        # a bound above another one is redundant; each is above itself
        covered = (others[None, :, :] <= new[:, None, :]).all(axis=2).sum(axis=1) > 1
        bounds = np.vstack([bounds[~hit], new[~covered]])
    return bounds


def _distinct(rows: FloatArray) -> FloatArray:
    """Return the distinct rows in lexicographic order; much faster than `np.unique` on few rows."""
    ordered = rows[np.lexsort(rows.T[::-1])]
    differs = np.ones(len(rows), dtype=np.bool_)
    differs[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return ordered[differs]


def _matrix(thresholds: Sequence[tuple[float, ...]], m: int) -> FloatArray:
    return np.array(thresholds, dtype=np.float64).reshape(-1, m)


def _open_region(land: Landscape) -> tuple[FloatArray, FloatArray]:
    """Return lower bounds, (j, m), and upper bounds, (k, m), of the boxes between front points.

    No point is expected beyond the best of an objective: its corner was trained for it alone.
    """
    extremes = list(dict.fromkeys(land.gains.argmax(axis=0).tolist()))
    more = farthest_first(land.gains, land.gains[extremes], MAX_POINTS - len(extremes))
    points = land.gains[[*extremes, *more]]
    top = points.max(axis=0)
    lowers = local_lower_bounds(points, land.ref[None], top)
    uppers = -local_lower_bounds(-points, -top[None], -land.ref)
    return lowers, uppers


def _largest_boxes(
    land: Landscape, lowers: FloatArray, uppers: FloatArray, keep: int, most: int
) -> list[Box]:
    """Return the `most` largest boxes of each target, given the latest `keep` launches."""
    boxes = []
    for target in range(len(land.ref)):
        asked = land.questions[target]
        kept = asked[max(0, len(asked) - keep) :]
        left = -local_lower_bounds(-_refuted(target, land, kept), -uppers, -land.ref)
        side = left[None, :, :] - lowers[:, None, :]
        wide = side > land.noise
        # a real exchange: a side in the target and one in another objective, both beyond the noise
        real = (side > 0).all(axis=2) & wide[:, :, target] & (wide.sum(axis=2) > 1)
        low, high = np.nonzero(real)
        order = np.argsort(-side[low, high].prod(axis=1).round(12), kind="stable")[:most]
        again = len(kept) < len(asked)
        boxes += [Box(target, lowers[low[i]], left[high[i]], again) for i in order]
    return boxes


def _refuted(target: int, land: Landscape, questions: FloatArray) -> FloatArray:
    """Return corners above which no point is left after launches towards a target, at most (q, m).

    A launch with thresholds t found v: the best known target among the points that keep t. No point
    is then above (t, v). If no point keeps t, v is below everything that counts. A corner above
    another one is redundant.
    """
    others = np.arange(len(land.ref)) != target
    keeps = (land.gains[None, :, others] >= questions[:, None, others]).all(axis=2)
    found = np.where(keeps, land.gains[:, target], -np.inf).max(axis=1, initial=-np.inf)
    corners = questions.copy()
    corners[:, target] = found
    corners = np.maximum(corners, land.ref)
    return np.asarray(corners[nondominated(-corners)], dtype=np.float64)


def _way_into(box: Box, land: Landscape, slack: float) -> Way:
    """Return the way into a box from the point that is nearest to keeping its thresholds.

    The slack is at most a quarter of the side, so that the result differs from known points; a side
    within the noise keeps the full slack.
    """
    room = np.where(box.side > land.noise, np.minimum(slack, box.side / 4), slack)
    room[box.target] = 0.0
    thresholds = box.lower + box.side / 2 - room
    short = np.maximum(thresholds - land.gains, 0.0)
    short[:, box.target] = 0.0
    misses = np.where(land.startable, short.sum(axis=1).round(12), np.inf)
    nearest = np.flatnonzero(misses == misses.min())
    parent = int(nearest[land.gains[nearest, box.target].argmax()])
    return Way(box, parent, thresholds, float(misses[parent]))
