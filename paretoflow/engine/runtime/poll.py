"""A driver's poll of a worker, and the worker's answer: values that cross process borders."""

from __future__ import annotations

from dataclasses import dataclass

from paretoflow.core.errors import ParetoflowError
from paretoflow.core.launch import Launch
from paretoflow.engine.live import Doing, GroupPhase
from paretoflow.engine.messages import Report
from paretoflow.ledger.tables import Event


@dataclass(frozen=True)
class LoadResult:
    """The result of a worker's loading.

    Args:
        events: The calibration and the base's evaluation, where the worker did the shared stage.
        error: Error of loading; None on success.
    """

    events: tuple[Event, ...] = ()
    error: ParetoflowError | None = None


Message = LoadResult | Report


@dataclass(frozen=True)
class PollRequest:
    """A driver's poll of a worker.

    Args:
        epoch: The driver's epoch in the ledger.
        since: Number of the newest message that the driver has; -1 for none.
        recorded: Number of the newest message that is safe in the ledger, and may be deleted.
        wait_s: Longest time to wait for news, in seconds.
        orphan_s: Longest time that the worker continues without a call of a driver, in seconds.
    """

    epoch: int
    since: int
    recorded: int
    wait_s: float
    orphan_s: float


@dataclass(frozen=True)
class PollReply:
    """A worker's answer to a poll.

    Args:
        messages: Messages after the request's `since`, each with its number.
        launch: The last launch that it received; None if there was none yet.
        training: Whether it still works on the launch.
        loaded: Whether it can accept a launch once it is idle.
        phase_s: Seconds since the phase began.
        still_s: Seconds since the last sign of progress.
        step: Optimiser steps done of the launch; -1 when unknown.
        reason: Reason for leaving; empty while it does not leave.
        doing: Progress before its first launch.
    """

    messages: tuple[tuple[int, Message], ...]
    phase: GroupPhase
    launch: Launch | None
    training: bool
    loaded: bool
    phase_s: float
    still_s: float
    step: int
    reason: str
    doing: Doing | None = None
