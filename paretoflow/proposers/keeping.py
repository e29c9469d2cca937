"""Which constrained launches were in vain so far, so that their like are not proposed again.

A launch that has to keep more than training can keep ends where it began, or misses its thresholds;
so does the next one like it. What counts is how little the other objectives may lose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paretoflow.core.status import RunStatus
from paretoflow.core.values import FloatArray, History
from paretoflow.front.outcomes import outcome_of
from paretoflow.proposers.ranges import scale_of

ENOUGH = 2
"""Launches in vain towards an objective before their like are left out: one may be bad luck."""
_SAME = 1e-9


@dataclass(frozen=True)
class KeepingRecord:
    """Finished constrained launches, each with the target and the least slack that it had.

    Args:
        well: (target, slack) of those that kept their thresholds and improved their target.
        in_vain: Of all others.
    """

    well: tuple[tuple[int, float], ...] = ()
    in_vain: tuple[tuple[int, float], ...] = ()

    def hopeless(self, target: int, slack: float) -> bool:
        """Return whether a launch with so little slack towards an objective should end in vain.

        That is: `ENOUGH` launches with as much or more did, and none with as little or less ended
        well. By hand: with 0.05 and 0.1 in vain and 0.2 well, 0.05 is hopeless, 0.08 is not.
        """
        vain = sum(t == target and s >= slack - _SAME for t, s in self.in_vain)
        well = any(t == target and s <= slack + _SAME for t, s in self.well)
        return vain >= ENOUGH and not well


def kept_so_far(history: History) -> KeepingRecord:
    """Return the record of the constrained launches that have finished."""
    rows = {name: row for row, name in enumerate(history.snapshot_ids)}
    last = {int(run): row for row, run in enumerate(history.run_index) if run >= 0}
    scale = scale_of(history)
    well: list[tuple[int, float]] = []
    in_vain: list[tuple[int, float]] = []
    for number, run in enumerate(history.runs):
        parent, own = rows.get(run.proposal.parent or ""), last.get(number)
        if parent is None or own is None or run.status is not RunStatus.FINISHED:
            continue
        gains, error = history.gains, np.hypot(history.stderr[own], history.stderr[parent])
        outcome = outcome_of(run.proposal, gains[own], gains[parent], error)
        if outcome is None:
            continue
        bounds = gains[own] - outcome.room
        asked = (outcome.target, slack_of((gains[parent] - bounds) / scale, outcome.target))
        (well if outcome.kept and outcome.improved else in_vain).append(asked)
    return KeepingRecord(tuple(well), tuple(in_vain))


def slack_of(allowed: FloatArray, target: int) -> float:
    """Return the least that another objective than the target may lose, normalised; inf for none.

    Args:
        allowed: What each may lose in shares of its range, shape (m,); inf where all.
        target: The objective that is to be improved.
    """
    others = np.delete(np.asarray(allowed, dtype=np.float64), target)
    return float(others.min()) if len(others) else np.inf
