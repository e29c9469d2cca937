"""First launches of a portfolio, chosen while too little is known to let its arms compete.

Every kind of launch promises an amount of hypervolume, and the launch with the largest promise is
made. A small budget has no launches to spend on comparing arms; promises need none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from paretoflow.core.values import FloatArray, History, LaunchKind, Proposal, WeightVector
from paretoflow.proposers.arrival import ends_of, further_of
from paretoflow.proposers.asked import Asked, seed_for
from paretoflow.proposers.belief import belief_of, best_promise, known_runs
from paretoflow.proposers.boxes import MAX_POINTS, Way, landscape, largest_box
from paretoflow.proposers.cmorl_hv import dominated
from paretoflow.proposers.empty_box import box_launch
from paretoflow.proposers.extremes import extreme_launch
from paretoflow.proposers.gain import OpenRegion
from paretoflow.proposers.gp_hvi import candidates, weighted_launch
from paretoflow.proposers.pg_predict import Continuation, continuations
from paretoflow.proposers.ranges import normalised
from paretoflow.proposers.spread import farthest_first
from paretoflow.proposers.wording import preference

MODEL, GAPS, CONTINUING = "gp_hvi", "empty_box", "pg_predict"
"""Arms whose kinds of launch make promises: new weights, gaps, and continued policies."""
SLACK = 0.05
"""Room below the middle of a gap, in units of the normalised range: C-MORL's."""


@dataclass(frozen=True)
class Promised:
    """A launch and its expected gain.

    Args:
        arm: Tag of the arm that makes this kind of launch.
        gain: Hypervolume, in the product of the normalised ranges.
        proposal: The launch as the arm would make it.
    """

    arm: str
    gain: float
    proposal: Proposal

    @property
    def why(self) -> str:
        """Return the reason in words why the launch is chosen."""
        if not np.isfinite(self.gain):
            return f"{self.arm} comes first"
        return f"{self.arm} promises most, {self.gain:.1%} of the ranges' hypervolume"


class Prospects:
    """Promises of each kind of launch; all gains normalised, 0 at the nadir, 1 at the ideal.

    New weights: the sure gain of a run from the base, by the model (`belief`).

    A gap: the gain of the middle of its box, or of a run for the target alone from the parent, if
    that goes further.

    A continuation: the gain of a further run from a policy of the front. It is estimated from the
    changes at the end of runs towards the same weights, less their slowing down (`arrival`). No
    gain is expected beyond the ideal or the best known.

    So policies are continued while runs end too early; gaps and weights take over as these changes
    shrink. Pending launches are expected to reach what they promised.

    By hand: a policy at (.4, .4), alone on the front against (0, 0), whose run rose by (.1, .1) to
    half-way and by as much to its end. The rise does not slow down: a continuation should reach
    (.6, .6), which adds .36 - .16 = .2.

    Args:
        history: Ended runs and evaluations.
        asked: Every launch so far, the pending ones last.
        pending: Pending launches.
        seed: Seed of the sweep.
    """

    def __init__(
        self, history: History, asked: Asked, pending: Sequence[Proposal], seed: int
    ) -> None:
        self._history = history
        self._asked = asked
        self._pending = pending
        self._root, self._seed = seed, seed_for(seed, asked)
        self._gains = normalised(history)
        self._rows = {name: row for row, name in enumerate(history.snapshot_ids)}
        self._land = landscape(history, asked, pending)
        self._ends = ends_of(history)
        self._further = further_of(history, self._ends.left)
        coming = [c for c in continuations(pending) if c[0] in self._rows]
        believed = [self._arrivals([self._rows[parent]], weights) for parent, weights in coming]
        self._region = OpenRegion.beyond(np.vstack([self._land.gains, *believed]), self._land.ref)

    def best(self, arms: Collection[str]) -> Promised | None:
        """Return the largest promise of some arms; None if none promises a gain.

        Of equal promises, weights come first, then gaps: they are more certain.
        """
        end = self._end() if MODEL in arms else None
        if end is not None:
            return end
        found = [p for p in (*self._models_and_gaps(), *self._continued()) if p.arm in arms]
        best = max(found, key=lambda p: round(p.gain, 12), default=None)
        return best if best is not None and best.gain > 0 else None

    def _end(self) -> Promised | None:
        """Return a launch for an end of the front, if its corner failed or fell short.

        Where runs end too early, only failed corners count: each falls short of continued runs.
        """
        unfinished = self._ends.rising
        launch = extreme_launch(
            self._history, self._asked, self._root, MODEL, failed_only=unfinished
        )
        return None if launch is None else Promised(MODEL, np.inf, launch)

    def _models_and_gaps(self) -> Iterator[Promised]:
        known = known_runs(self._history)
        if not len(known.rows):
            return
        belief = belief_of(known, self._land, self._pending)
        promise = best_promise(belief, candidates(self._asked, known.weights))
        if promise is not None:
            launch = weighted_launch(promise, self._history, self._seed)
            yield Promised(MODEL, promise.sure, launch)
        way = largest_box(self._land, SLACK)
        if way is not None:
            launch = box_launch(way, self._land, self._history, self._seed, GAPS)
            yield Promised(GAPS, max(belief.gain_of(way), self._gain_of(way)), launch)

    def _gain_of(self, way: Way) -> float:
        """Return the gain of a launch into a gap; its target rises at least as in a run alone."""
        m, parent = len(way.thresholds), self._land.gains[way.parent]
        alone = tuple(np.eye(m)[way.box.target].tolist())
        end = np.maximum(way.thresholds, parent + self._further.after(parent[None], alone)[0])
        return float(self._region.gains(end))

    def _continued(self) -> Iterator[Promised]:
        tried, options, arrivals = self._tried(), [], [np.empty((0, self._history.problem.m))]
        for weights in self._further.options():
            new = [
                r for r in self._policies() if (self._history.snapshot_ids[r], weights) not in tried
            ]
            options += [(self._history.snapshot_ids[row], weights) for row in new]
            arrivals.append(self._arrivals(new, weights))
        ends = np.vstack(arrivals)
        ahead = np.flatnonzero(~dominated(ends, self._region.front))
        if len(ahead):
            gains = self._region.gains(ends[ahead])
            best = int(gains.round(12).argmax())
            launch = self._training_on(options[ahead[best]])
            yield Promised(CONTINUING, float(gains[best]), launch)

    def _policies(self) -> list[int]:
        """Return the rows of the front's policies, far from each other if there are many."""
        rows = [int(row) for row in self._land.rows[self._land.startable]]
        points = self._land.gains[self._land.startable]
        if len(rows) <= MAX_POINTS:
            return rows
        best = list(dict.fromkeys(points.argmax(axis=0).tolist()))
        more = farthest_first(points, points[best], MAX_POINTS - len(best))
        return [rows[i] for i in (*best, *more)]

    def _tried(self) -> set[Continuation]:
        ended = (run.proposal for run in self._history.runs)
        return {*continuations(ended), *continuations(self._pending)}

    def _arrivals(self, rows: Sequence[int], weights: tuple[float, ...]) -> FloatArray:
        """Return the expected gains of policies continued towards some weights, shape (n, m)."""
        starts = self._gains[np.array(rows, dtype=np.int64)]
        most = np.maximum(1.0, self._land.gains.max(axis=0, initial=1.0))
        ends = np.minimum(starts + self._further.after(starts, weights), most)
        return np.asarray(ends, dtype=np.float64)

    def _training_on(self, continuation: Continuation) -> Proposal:
        parent, values = continuation
        weights = WeightVector(values)
        towards = preference(weights, self._history.problem.names)
        return Proposal(
            kind=LaunchKind.WEIGHTED,
            weights=weights,
            seed=self._seed,
            reason=f"Trains {parent} on towards {towards}, as runs towards that still changed at "
            "their ends.",
            proposer=CONTINUING,
            parent=parent,
            tag="predicted",
        )
