"""The seam between the driver and whatever executes runs, and the messages that cross it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from paretoflow.core.launch import Launch
from paretoflow.core.status import Boundary
from paretoflow.core.values import Problem
from paretoflow.engine.live import GroupState
from paretoflow.ledger.tables import Event


class Cause(StrEnum):
    """What kind of failure it was, as far as a further attempt depends on it."""

    ERROR = "error"
    """Something raised: `engine.retries` further attempts, if it is retryable at all."""
    OUT_OF_MEMORY = "out_of_memory"
    """Made again with forward batches half as large, until they hold one example."""
    LOST = "lost"
    """The machine was lost or taken back: `engine.limits.losses` further attempts."""
    OUTAGE = "outage"
    """Disk, network, storage or device failed the run: as many further attempts, after a rest."""
    DIED = "died"
    """The process ended or fell silent, and nobody knows why: `DEATHS` further attempts."""


@dataclass(frozen=True)
class Failure:
    """Why an attempt failed.

    Args:
        boundary: The part of the system that the error came out of.
        message: One line for a person.
        retryable: Whether the same attempt may well succeed if it is made again.
        details: Traceback or log tail; empty when there is none.
        outage: What the worker group waits for before it takes another run, in a few words; empty
            where it need not wait.
        code: Code of the error, one of `core.codes`; empty where it was none of ours.
    """

    boundary: Boundary
    message: str
    retryable: bool
    details: str = ""
    cause: Cause = Cause.ERROR
    outage: str = ""
    code: str = ""


@dataclass(frozen=True)
class Report:
    """What a backend tells about one attempt.

    Args:
        events: Rows for the ledger, already durable in a fragment where the backend has storage.
        ended: Whether the attempt is over and its slot is free.
        failure: Why it failed; None while it runs and when it finished.
    """

    run_id: str
    attempt: int
    events: tuple[Event, ...] = ()
    ended: bool = False
    failure: Failure | None = None


class Backend(Protocol):
    """Executes launches.

    Lifecycle: `adopt` once, `prepare` once, then any number of `launch`, `suspend`, `drop` and
    `poll`, then `close` or `detach`. One thread. A backend never decides: it does not retry,
    reorder or drop. Every launch, adopted ones included, ends in exactly one report with `ended`
    set, unless `close`, `detach` or its `drop` comes first. It obeys the newest driver only: what
    an older one sends after `adopt` by a newer is refused.
    """

    def adopt(self, epoch: int) -> list[Launch]:
        """Take over the worker groups that an earlier driver left; return what they work on.

        Args:
            epoch: This driver's epoch in the ledger, greater than that of any driver before.

        Raises:
            FencedError: If a newer driver has the worker groups already.
        """
        ...

    def prepare(self, problem: Problem | None) -> list[Event]:
        """Do the work that all runs share; return the calibration and the base's evaluation.

        Args:
            problem: The calibration that the ledger holds already; then only set up what runs need,
                and return none.

        Raises:
            ParetoflowError: If data, model or objectives cannot be set up; no run would succeed.
        """
        ...

    def now(self) -> float:
        """Return seconds since the epoch, in the backend's own time."""
        ...

    def pause(self, seconds: float) -> None:
        """Let time pass, in the backend's own time; groups keep hearing from their driver."""
        ...

    def free(self) -> int:
        """Return how many more launches would start at once."""
        ...

    def launch(self, launch: Launch) -> None:
        """Start an attempt on a free worker group."""
        ...

    def drop(self, launch: Launch) -> None:
        """Stop an attempt without a report; do nothing if it is over."""
        ...

    def suspend(self, run_id: str, attempt: int, why: str) -> None:
        """Have an attempt save where it is and end with a PAUSED row; do nothing if it is over.

        It may finish before it hears of this. Asking twice changes nothing.

        Args:
            run_id: The run.
            attempt: The one in training.
            why: What the row is to say.
        """
        ...

    def poll(self, timeout_s: float) -> list[Report]:
        """Wait at most `timeout_s` seconds for news of any attempt; return all there is.

        Raises:
            FencedError: If a newer driver has taken the worker groups over.
        """
        ...

    def groups(self) -> Sequence[GroupState]:
        """Return what every worker group does now."""
        ...

    def close(self) -> None:
        """Let attempts save where they are, stop them, give the resources back; safe to repeat."""
        ...

    def detach(self) -> None:
        """Let go of the groups as they are, for another driver; where they can't go on, `close`."""
        ...
