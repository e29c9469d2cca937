"""Decides whether an end of the front is to be trained for once more.

Every proposer of gaps takes the best of an objective for the end of the front there, since a run of
the opening was trained for that objective alone. A run may fail, or get stuck where others did not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paretoflow.core.values import History, LaunchKind, Proposal, WeightVector
from paretoflow.proposers.asked import Asked, seed_for
from paretoflow.proposers.ranges import normalised, normalised_errors

BEATEN = 0.05
"""Another run must be ahead of those for an objective alone by more than this share of a range."""
DEVIATIONS = 3.0
"""And by more than so many combined standard errors: the best of many scores is a lucky one."""
MOST = 3
"""Launches for an objective alone, the first included, after which it is left at that."""


def extreme_launch(
    history: History, asked: Asked, seed: int, proposer: str, *, failed_only: bool = False
) -> Proposal | None:
    """Return a launch for an objective alone that was not its best launch so far; None if all were.

    It trains on from the best checkpoint of the objective. Nothing is launched towards an objective
    while a launch for it alone is pending.

    By hand: on ranges of 10, the run for the first objective alone came to (3, 1), a run for both
    to (5, 6): 2 of 10 is more than a twentieth, so that is trained on with the weights (1, 0).

    Args:
        history: Ended runs and evaluations.
        asked: Every launch so far.
        seed: Seed of the sweep.
        proposer: Tag of the proposer.
        failed_only: Whether only those are made again that came to nothing.
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
    """Return the row that is best at an objective if it beats the runs `own`; None if it does not.

    Runs without a row are beaten by any other.
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
