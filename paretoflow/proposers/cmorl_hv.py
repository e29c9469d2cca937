"""`cmorl_hv`: C-MORL's constrained extension, into the gaps with the largest possible gain."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from paretoflow.core.values import FloatArray, History, LaunchKind, Proposal
from paretoflow.proposers.asked import Asked, seed_for
from paretoflow.proposers.boxes import Box, Landscape, open_boxes
from paretoflow.proposers.cmorl import starting_weights
from paretoflow.proposers.gain import OpenRegion
from paretoflow.proposers.gaps import GapProposer
from paretoflow.proposers.keeping import KeepingRecord, kept_so_far, slack_of
from paretoflow.proposers.ranges import scale_of
from paretoflow.proposers.wording import bounds, improve
from paretoflow.spec.proposers import CmorlHvProposerSpec

LARGEST = 16
"""Number of gaps of each objective, the largest boxes first, whose gain is computed."""


@dataclass(frozen=True)
class Step:
    """An extension of one policy along the front, into a gap beside it; all numbers normalised.

    Args:
        parent: Index of the policy among the landscape's points.
        target: Objective to improve.
        aim: Aim of the launch, shape (m,): the thresholds, and the target's gain to pass.
        gain: Hypervolume that a point at `aim` would add.
        travel: Distance of `aim` from the parent, summed over the objectives.
        width: Length of the gap in the target.
        again: Whether the gap was closed before.
    """

    parent: int
    target: int
    aim: FloatArray
    gain: float
    travel: float
    width: float
    again: bool

    @property
    def rank(self) -> tuple[float, float, float]:
        """Return the sort key of steps, larger first.

        Of two steps with the same gain, the shorter one is better, then the one whose thresholds
        halve the longer side of the gap.
        """
        return round(self.gain, 12), -round(self.travel, 12), -round(self.width, 12)


class CmorlHvProposer(GapProposer):
    """Extends the policy beside the gap of the front where a point would add most hypervolume.

    The oracle is C-MORL's: from a policy r of the front, raise one objective l while the others
    stay above thresholds. The choice of (r, l) and of the thresholds is not C-MORL's. A gap is a
    box that the front leaves open (`boxes`; for two objectives, the rectangle between two
    neighbours), with lower corner u and upper corner v. A policy lies beside the gap for objective
    l if it exceeds u in all other objectives and not in l. With c = min(v, G(r)), its extension
    keeps

        G_i >= c_i - reach * (c_i - u_i)    for i other than l.

    That is, it gives up a share of the distance to the neighbour that bounds the gap, and at least
    the noise of the scores. The hypothetical result of (r, l) lies that share of the way into the
    gap. The (r, l) whose result would add most hypervolume is launched. A policy that is already
    the best in l has no gap.

    Pending launches are expected to reach their aim. The box of a launch is closed to its target,
    whether or not the launch found a point. Gaps within the combined standard errors are skipped,
    and so are launches if similar ones did not keep their thresholds (`keeping`). When all gaps are
    closed, the older half of the launches is ignored. When no policy lies beside a gap, weights far
    from all tried so far use up the budget.

    Differences to `empty_box`: (1) a launch starts beside the gap, so that the parent keeps all
    thresholds at the start and the run moves along the front; `empty_box` may start below them.
    (2) Gaps are ranked by the hypervolume that a point within them would add instead of by their
    volume, which is another order from three objectives on. (3) A launch starts with the parent's
    weights instead of the gap's normal.

    By hand, with `reach: 0.5`: gains (0, 10), (4, 7), (9, 1) on ranges of 10 leave gaps of 4 x 3
    and 5 x 6, whose middles add 2 * 1.5 = 3 and 2.5 * 3 = 7.5 hundredths. The second gap is longer
    in the second objective, which is halved: from (4, 7), raise the first, keeping the second at 4.

    Args:
        spec: Its options.
        m: Number of objectives.
        runs: Runs of the sweep.

    References:
        Liu et al. (2024), arXiv 2410.02236 (C-MORL), sec. 5.2 and 5.3. Departures, beside those of
        `cmorl`: hypervolume selects policies instead of crowding, one at a time; each is extended
        in one objective instead of all; thresholds come from the neighbour, not from beta.
    """

    tag = "cmorl_hv"

    def __init__(self, spec: CmorlHvProposerSpec, *, m: int, runs: int) -> None:
        super().__init__(m, runs, spec.initial)
        self._reach = spec.reach

    def _filling(
        self, land: Landscape, history: History, asked: Asked, seed: int
    ) -> Proposal | None:
        """Return the extension that would add most hypervolume."""
        step = best_step(land, self._reach, kept_so_far(history))
        return None if step is None else _launch(step, land, history, seed_for(seed, asked))

    def _no_gap(self, *, opening: bool) -> str:
        """Return the reason in words why no gap is filled."""
        return "No policy lies beside a gap that is open"


def best_step(land: Landscape, reach: float, record: KeepingRecord | None = None) -> Step | None:
    """Return the extension that would add most hypervolume; None when no gap is worth a run.

    Args:
        land: The front and the launches towards each objective.
        reach: Share of the way to the neighbour that a launch may give up.
        record: Whether earlier launches kept their thresholds; hopeless launches are left out.
    """
    if not land.startable.any():
        return None
    steps = [s for box in open_boxes(land, LARGEST) if (s := _step(box, land, reach))]
    if record is not None:
        steps = [s for s in steps if not record.hopeless(s.target, _slack(s, land))]
    if not steps:
        return None
    aims = np.array([step.aim for step in steps])
    gains = OpenRegion.beyond(land.gains, land.ref).gains(aims)
    gains[dominated(aims, land.gains)] = 0.0
    rated = [replace(step, gain=float(gain)) for step, gain in zip(steps, gains, strict=True)]
    best = max(rated, key=lambda step: step.rank)
    return best if best.gain > 0 else None


def dominated(points: FloatArray, gains: FloatArray) -> NDArray[np.bool_]:
    """Return a mask of the points, (k, m), that do not exceed one of some gains, (n, m), anywhere.

    A region keeps only a part of a large front: another point may fill a gap that this part leaves.
    """
    reached = np.all(gains[None] >= points[:, None], axis=2)
    return np.asarray(np.any(reached, axis=1), dtype=np.bool_)


def _step(box: Box, land: Landscape, reach: float) -> Step | None:
    """Return the extension of a policy beside a box, without its gain; None without such a policy.

    If several policies lie beside the box, the one nearest to the aim is chosen.
    """
    over = land.gains > box.lower
    over[:, box.target] = ~over[:, box.target]
    beside = np.flatnonzero(over.all(axis=1) & land.startable)
    if not len(beside):
        return None
    ceilings = np.minimum(box.upper, land.gains[beside])
    ceilings[:, box.target] = box.upper[box.target]
    share = np.full(len(box.lower), 1 - reach)
    share[box.target] = reach
    aims = box.lower + share * (ceilings - box.lower)
    travels = np.abs(aims - land.gains[beside]).sum(axis=1)
    nearest = int(travels.round(12).argmin())
    return Step(
        parent=int(beside[nearest]),
        target=box.target,
        aim=aims[nearest],
        gain=0.0,
        travel=float(travels[nearest]),
        width=float(box.side[box.target]),
        again=box.again,
    )


def _kept(step: Step, land: Landscape) -> FloatArray:
    """Return the thresholds of an extension, normalised, shape (m,); for the target, its aim.

    Each threshold is below the policy's own gain by the noise at least.
    """
    kept = np.minimum(step.aim, land.gains[step.parent] - land.noise)
    kept[step.target] = step.aim[step.target]
    return np.asarray(kept, dtype=np.float64)


def _slack(step: Step, land: Landscape) -> float:
    return slack_of(land.gains[step.parent] - _kept(step, land), step.target)


def _launch(step: Step, land: Landscape, history: History, run_seed: int) -> Proposal:
    kept = _kept(step, land)
    thresholds = history.nadir + kept * scale_of(history)
    row = int(land.rows[step.parent])
    parent = history.snapshot_ids[row]
    before = ", asked about before," if step.again else ""
    return Proposal(
        kind=LaunchKind.CONSTRAINED,
        weights=starting_weights(history, row, step.target),
        seed=run_seed,
        reason=f"A point in the gap beside {parent}{before} would add {step.gain:.1%} of the "
        f"ranges' hypervolume: {improve(step.target, history.problem)}, keeping "
        f"{bounds(thresholds, step.target, history.problem)}.",
        proposer="cmorl_hv",
        parent=parent,
        target=step.target,
        thresholds=tuple(thresholds.tolist()),
        tag="gap",
    )
