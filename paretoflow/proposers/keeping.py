"""Record of the constrained launches that were in vain, so that similar ones are not proposed.

A launch whose thresholds are too tight for training ends where it began, or misses them; a similar
launch would do the same. Launches are compared by the smallest loss that the other objectives may
have (the slack).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paretoflow.core.status import RunStatus
from paretoflow.core.values import FloatArray, History
from paretoflow.front.outcomes import outcome_of
from paretoflow.proposers.ranges import scale_of

ENOUGH = 2
"""Number of launches in vain before similar ones are left out: one may be bad luck."""
_SAME = 1e-9


@dataclass(frozen=True)
class KeepingRecord:
    """Finished constrained launches, each with its target and its smallest slack.

    Args:
        well: (target, slack) of launches that kept their thresholds and improved their target.
        in_vain: (target, slack) of all others.
    """

    well: tuple[tuple[int, float], ...] = ()
    in_vain: tuple[tuple[int, float], ...] = ()

    def hopeless(self, target: int, slack: float) -> bool:
        """Return whether a launch with this slack towards an objective is expected to be in vain.

        That is: `ENOUGH` launches with as much slack or more were in vain, and none with as little
        or less ended well. By hand: with 0.05 and 0.1 in vain and 0.2 well, 0.05 is hopeless, 0.08
        is not.
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
    """Return the smallest allowed loss of an objective other than the target; inf without one.

    Args:
        allowed: Allowed loss of each objective in shares of its range, shape (m,); inf if any loss
            is allowed.
        target: The objective to improve.
    """
    others = np.delete(np.asarray(allowed, dtype=np.float64), target)
    return float(others.min()) if len(others) else np.inf
