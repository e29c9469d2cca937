"""Launches that train again for an end of the front.

Every proposer of gaps takes the best point of an objective for the end of the front, since a run of
the opening was trained for that objective alone. But that run may fail, or get stuck where others
did not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paretoflow.core.values import History, LaunchKind, Proposal, WeightVector
from paretoflow.proposers.asked import Asked, seed_for
from paretoflow.proposers.ranges import normalised, normalised_errors

BEATEN = 0.05
"""Lead that another run must have over those for an objective alone, as a share of the range."""
DEVIATIONS = 3.0
"""Lead that it must have too, in combined standard errors: the best of many scores is lucky."""
MOST = 3
"""Largest number of launches for an objective alone, the first included."""


def extreme_launch(
    history: History, asked: Asked, seed: int, proposer: str, *, failed_only: bool = False
) -> Proposal | None:
    """Return a launch for one objective alone if another run beats such launches; else None.

    The launch continues the best checkpoint of the objective. It is not made while another launch
    for the objective alone is pending.

    By hand: on ranges of 10, the run for the first objective alone reached (3, 1), a run for both
    (5, 6): 2 of 10 is more than a twentieth, so the second run is continued with weights (1, 0).

    Args:
        history: Ended runs and evaluations.
        asked: Every launch so far.
        seed: Seed of the sweep.
        proposer: Tag of the proposer.
        failed_only: Whether only launches without a result are made again.
    """
    for objective in range(history.problem.m):
        own = asked.alone(objective)
        if own and own[-1] < len(history.runs) and len(own) < MOST:
            parent = _better_than(history, own, objective, failed_only)
            if parent is not None:
                return _launch(history, parent, objective, seed_for(seed, asked), proposer)
    return None


def _better_than(
    history: History, own: Sequence[int], objective: int, failed_only: bool
) -> int | None:
    """Return the row that is best in an objective if it beats the runs `own`; None if it does not.

    Any row beats runs without a row.
    """
    started = np.flatnonzero(history.run_index != -1)
    if not len(started):
        return None
    gains = normalised(history)[:, objective]
    errors = normalised_errors(history)[:, objective]
    best = int(started[gains[started].argmax()])
    rows = np.flatnonzero(np.isin(history.run_index, own))
    if not len(rows) or failed_only:
        return None if len(rows) else best
    mine = int(rows[gains[rows].argmax()])
    doubt = DEVIATIONS * float(np.hypot(errors[best], errors[mine]))
    return best if gains[best] - gains[mine] > max(BEATEN, doubt) else None


def _launch(history: History, row: int, objective: int, run_seed: int, proposer: str) -> Proposal:
    parent, name = history.snapshot_ids[row], history.problem.names[objective]
    return Proposal(
        kind=LaunchKind.WEIGHTED,
        weights=WeightVector.one_hot(history.problem.m, objective),
        seed=run_seed,
        reason=f"{parent} goes further in {name} than what was trained for that alone: trains it "
        f"on for {name} alone, to find the end of the front.",
        proposer=proposer,
        parent=parent,
        tag="extreme",
    )
