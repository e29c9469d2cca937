"""The life of a run, and the boundary at which it can fail.

    PENDING ──> RUNNING ──> FINISHED
       ^           │
       └── retry ──┼──────> FAILED      (retries used up, or a fault that no retry mends)
                   ├──────> STOPPED     (the sweep ended first; resuming puts it back to PENDING)
                   └──────> PAUSED      (runs like it are ahead; RUNNING again if its place rises)

FINISHED is final. So is FAILED, unless runs failed alike until the sweep stopped for it: the next
session puts those back to PENDING.
"""

from __future__ import annotations

from enum import StrEnum


class RunStatus(StrEnum):
    """Where a run stands."""

    PENDING = "pending"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    PAUSED = "paused"


class Boundary(StrEnum):
    """Which part of the system a failure came from."""

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

PENDING may end directly: a fragment can hold the result of a run whose start was never told, and a
run that waits for another attempt need not have it to be paused. PAUSED may finish: its result can
come late.
"""
