"""The protocol of a backend, which executes runs for the driver, and its messages."""

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
    """The cause of a failure, which decides about further attempts."""

    ERROR = "error"
    """An exception: `engine.retries` further attempts, if it is retryable."""
    OUT_OF_MEMORY = "out_of_memory"
    """Out of memory: repeated with forward batches half as large, until they hold one example."""
    LOST = "lost"
    """The machine was lost or taken back: `engine.limits.losses` further attempts."""
    OUTAGE = "outage"
    """Disk, network, storage or device failed: as many further attempts, after a wait."""
    DIED = "died"
    """The process ended or fell silent for an unknown reason: `DEATHS` further attempts."""


@dataclass(frozen=True)
class Failure:
    """The failure of an attempt.

    Args:
        boundary: The part of the system that the error came from.
        message: One line for a person.
        retryable: Whether a retry of the same attempt may succeed.
        details: Traceback or log tail; empty when there is none.
        outage: Resource that the worker group waits for before it takes another run, in a few
            words; empty where it need not wait.
        code: Code of the error, one of `core.codes`; empty where it is not an error of ParetoFlow.
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
    """A backend's report on one attempt.

    Args:
        events: Rows for the ledger, already durable in a fragment where the backend has storage.
        ended: Whether the attempt is over and its slot is free.
        failure: The failure of the attempt; None while it runs and when it finished.
    """

    run_id: str
    attempt: int
    events: tuple[Event, ...] = ()
    ended: bool = False
    failure: Failure | None = None


class Backend(Protocol):
    """Executes launches.

    Lifecycle: `adopt` once, `prepare` once, then any number of `launch`, `suspend`, `drop` and
    `poll`, then `close` or `detach`, all from one thread. A backend never decides: it does not
    retry, reorder or drop. Every launch, adopted ones included, ends in exactly one report with
    `ended` set, unless `close`, `detach` or its `drop` comes first. A backend accepts calls of the
    newest driver only: after `adopt` by a newer driver it refuses the calls of older ones.
    """

    def adopt(self, epoch: int) -> list[Launch]:
        """Take over the worker groups that an earlier driver left; return their launches.

        Args:
            epoch: This driver's epoch in the ledger, greater than that of every earlier driver.

        Raises:
            FencedError: If a newer driver has the worker groups already.
        """
        ...

    def prepare(self, problem: Problem | None) -> list[Event]:
        """Do the work that all runs share; return the calibration and the base's evaluation.

        Args:
            problem: The calibration that the ledger holds already. With it, only set up the runs'
                inputs, and return neither calibration nor evaluation.

        Raises:
            ParetoflowError: If data, model or objectives cannot be set up; no run would succeed.
        """
        ...

    def now(self) -> float:
        """Return seconds since the epoch, in the backend's own time."""
        ...

    def pause(self, seconds: float) -> None:
        """Wait, in the backend's own time; groups still receive messages from their driver."""
        ...

    def free(self) -> int:
        """Return the number of further launches that would start at once."""
        ...

    def launch(self, launch: Launch) -> None:
        """Start an attempt on a free worker group."""
        ...

    def drop(self, launch: Launch) -> None:
        """Stop an attempt without a report; do nothing if it is over."""
        ...

    def suspend(self, run_id: str, attempt: int, why: str) -> None:
        """Make an attempt save its state and end with a PAUSED row; do nothing if it is over.

        The attempt may finish before it receives the request. A second call changes nothing.

        Args:
            run_id: The run.
            attempt: The attempt in training.
            why: Text of the row.
        """
        ...

    def poll(self, timeout_s: float) -> list[Report]:
        """Wait at most `timeout_s` seconds for reports on attempts; return all reports.

        Raises:
            FencedError: If a newer driver has taken the worker groups over.
        """
        ...

    def groups(self) -> Sequence[GroupState]:
        """Return the current state of every worker group."""
        ...

    def close(self) -> None:
        """Let attempts save their state, stop them, release the resources; safe to repeat."""
        ...

    def detach(self) -> None:
        """Leave the groups running for another driver; `close` them where that is impossible."""
        ...
