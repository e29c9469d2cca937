"""The statuses of a run, and the boundaries at which it can fail.

    PENDING ──> RUNNING ──> FINISHED
       ^           │
       └── retry ──┼──────> FAILED      (retries used up, or a fault that no retry can fix)
                   ├──────> STOPPED     (the sweep ended first; resuming sets it to PENDING)
                   └──────> PAUSED      (similar runs are ahead; RUNNING again if its place rises)

FINISHED is final. FAILED is final too, unless the sweep stopped because of repeated equal failures:
the next session sets those runs to PENDING.
"""

from __future__ import annotations

from enum import StrEnum


class RunStatus(StrEnum):
    """The status of a run."""

    PENDING = "pending"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    PAUSED = "paused"


class Boundary(StrEnum):
    """The part of the system that a failure came from."""

    DATA = "data"
    OBJECTIVE = "objective"
    METHOD = "method"
    WORKER = "worker"
    STORE = "store"


TRANSITIONS: dict[RunStatus, frozenset[RunStatus]] = {
    RunStatus.PENDING: frozenset(
        {
            RunStatus.RUNNING,
            RunStatus.FINISHED,
            RunStatus.FAILED,
            RunStatus.STOPPED,
            RunStatus.PAUSED,
        }
    ),
    RunStatus.RUNNING: frozenset(
        {
            RunStatus.PENDING,
            RunStatus.FINISHED,
            RunStatus.FAILED,
            RunStatus.STOPPED,
            RunStatus.PAUSED,
        }
    ),
    RunStatus.STOPPED: frozenset({RunStatus.PENDING}),
    RunStatus.PAUSED: frozenset({RunStatus.RUNNING, RunStatus.FINISHED}),
    RunStatus.FINISHED: frozenset(),
    RunStatus.FAILED: frozenset(),
}
"""Legal next statuses.

PENDING may end directly: a fragment can hold the result of a run whose start was never reported,
and a run that waits for another attempt can be paused without it. PAUSED may finish: its result can
arrive late.
"""
