"""The seam between the driver and whatever executes runs, and the messages that cross it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from paretoflow.core.status import Boundary
from paretoflow.core.values import Problem, Proposal
from paretoflow.ledger.tables import Event


@dataclass(frozen=True)
class Launch:
    """One attempt of a run, as it is sent to a worker.

    Args:
        parent_path: Adapter folder to start from, relative to the sweep's root; empty for the base.
    """

    run_id: str
    attempt: int
    proposal: Proposal
    parent_path: str = ""


@dataclass(frozen=True)
class Failure:
    """Why an attempt failed.

    Args:
        boundary: The part of the system that the error came out of.
        message: One line for a person.
        retryable: Whether the same attempt may well succeed if it is made again.
        details: Traceback or log tail; empty when there is none.
    """

    boundary: Boundary
    message: str
    retryable: bool
    details: str = ""


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

    Lifecycle: `prepare` once, then any number of `launch` and `poll`, then `close`. One thread. A
    backend never decides: it does not retry, reorder or drop. Every launch ends in exactly one
    report with `ended` set, unless `close` comes first.
    """

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

    def free(self) -> int:
        """Return how many more launches would start at once."""
        ...

    def launch(self, launch: Launch) -> None:
        """Start an attempt on a free slot."""
        ...

    def poll(self, timeout_s: float) -> list[Report]:
        """Wait at most `timeout_s` seconds for news of any attempt; return all there is."""
        ...

    def close(self) -> None:
        """Stop whatever runs and give the resources back; safe to call twice."""
        ...
