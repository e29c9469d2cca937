"""Decides which rule a portfolio follows while too little is known to let arms compete."""

from __future__ import annotations

import numpy as np

from paretoflow.core.values import FloatArray, History, LaunchKind, Proposal
from paretoflow.proposers.arms import PORTFOLIO
from paretoflow.proposers.arrival import Ends
from paretoflow.proposers.asked import Asked
from paretoflow.proposers.boxes import scale_of
from paretoflow.proposers.cmorl import starting_weights
from paretoflow.proposers.wording import bounds, improve

ARRIVED, UNFINISHED = "gp_hvi", "empty_box"
"""Whose launches come first where runs arrive, and where they end before they do."""
PUSH = "push"
"""The tag of launches that lift a policy outward."""
PUSHES = 4
"""Most of these: each objective for two policies."""
FEW = 4
"""With fewer launches after the opening, a push must surely pay."""
SLACK = 0.05
"""What a lifted policy may give up, in units of the normalised range: C-MORL's."""


def leading_arm(ends: Ends, m: int, place: int) -> str:
    """Return the tag of the arm that leads; empty where arms are to compete at once.

    Where runs arrive, weights tell what they come to, and a model of that is the best guide. Where
    they do not, it learns where runs stop, and a new run from the base stops there again: gaps are
    then filled from policies that go on. With two objectives these are few, and it is soon worth
    more to let arms compete, one of which trains policies on for whatever they were trained.

    Args:
        ends: Of the weighted runs.
        m: Number of objectives.
        place: Launches since the opening.
    """
    if not ends.rising:
        return ARRIVED
    return UNFINISHED if m > 2 or place < m else ""


def push_launch(
    history: History, asked: Asked, ends: Ends, run_seed: int, *, few: bool = False
) -> Proposal | None:
    """Return C-MORL's extension of a policy that still moves outward; None where there is none.

    For two objectives. Of the policies that rose to their end and gave nothing up, the one with the
    largest sum of gains is trained on for each objective in turn, first for that in which it is
    worse, the other kept: that moves the front as a whole, while a gap in a front that is not there
    yet is filled for nothing.

    Args:
        history: Ended runs and evaluations.
        asked: Every launch so far.
        ends: Of the weighted runs.
        run_seed: Seed of the launch.
        few: Whether the budget has so few runs that only those count that surely move outward.
    """
    if history.problem.m != 2 or sum(p.tag == PUSH for p in asked.constrained()) >= PUSHES:
        return None
    gains = (history.gains - history.nadir) / scale_of(history)
    rows = ends.outward(surely=few)
    for row in rows[np.argsort(-gains[rows].sum(axis=1), kind="stable")].tolist():
        parent = history.snapshot_ids[row]
        tried = {p.target for p in asked.constrained() if p.parent == parent and p.tag == PUSH}
        left = [t for t in np.argsort(gains[row], kind="stable").tolist() if t not in tried]
        if left:
            return _extension(history, row, left[0], run_seed)
    return None


def _extension(history: History, row: int, target: int, run_seed: int) -> Proposal:
    thresholds: FloatArray = history.gains[row] - SLACK * scale_of(history)
    thresholds[target] = history.gains[row, target]
    parent = history.snapshot_ids[row]
    return Proposal(
        kind=LaunchKind.CONSTRAINED,
        weights=starting_weights(history, row, target),
        seed=run_seed,
        reason=f"{parent} still rose at its end and gave nothing up: "
        f"{improve(target, history.problem)}, keeping "
        f"{bounds(thresholds, target, history.problem)}.",
        proposer=PORTFOLIO,
        parent=parent,
        target=target,
        thresholds=tuple(thresholds.tolist()),
        tag=PUSH,
    )
