"""Rows that the driver writes itself, each with a deterministic id."""

from __future__ import annotations

from collections.abc import Collection

from paretoflow import __version__
from paretoflow.core.status import Boundary
from paretoflow.core.values import Proposal
from paretoflow.engine.messages import Failure, Report
from paretoflow.engine.state.failures import AGAIN
from paretoflow.ledger.tables import Event, EventKind

NO_RESULT = Failure(Boundary.WORKER, "the attempt ended without a result", retryable=True)


def opened(epoch: int, time_s: float, spec_digest: str) -> Event:
    """Return the row that begins a session."""
    payload = {"code_version": __version__, "spec_digest": spec_digest}
    return Event(f"opened:{epoch}", EventKind.OPENED, time_s, payload=payload)


def adopted(run_id: str, attempt: int, epoch: int, time_s: float) -> Event:
    """Return the row of an attempt that an earlier driver started and that still runs."""
    name = f"adopted:{run_id}:{attempt}:{epoch}"
    return Event(name, EventKind.ADOPTED, time_s, run_id=run_id, attempt=attempt)


def proposed(run_id: str, proposal: Proposal, time_s: float) -> Event:
    """Return the row of a new run."""
    payload = {"proposal": proposal.to_dict()}
    name = f"proposed:{run_id}"
    return Event(name, EventKind.PROPOSED, time_s, run_id=run_id, payload=payload)


def started(run_id: str, attempt: int, time_s: float) -> Event:
    """Return the row of an attempt that is about to begin."""
    name = f"started:{run_id}:{attempt}"
    return Event(name, EventKind.STARTED, time_s, run_id=run_id, attempt=attempt)


def failed(report: Report, time_s: float, *, spent_s: float, ranks: int, final: bool) -> Event:
    """Return the row of an attempt that failed, or ended without a result.

    Args:
        report: The end of the attempt.
        time_s: Seconds since the epoch.
        spent_s: Seconds of the attempt that no evaluation has charged.
        ranks: Number of workers that spent them.
        final: Whether the run gets no further attempt.
    """
    failure = failure_of_report(report)
    return Event(
        f"failed:{report.run_id}:{report.attempt}",
        EventKind.FAILED,
        time_s,
        run_id=report.run_id,
        attempt=report.attempt,
        boundary=failure.boundary.value,
        message=failure.message,
        wall_s=spent_s,
        device_s=spent_s * ranks,
        payload={
            "final": final,
            "retryable": failure.retryable,
            "cause": failure.cause.value,
            "details": failure.details[-4000:],
            **({"code": failure.code} if failure.code else {}),
        },
    )


def failure_of_report(report: Report) -> Failure:
    """Return the failure of an attempt that ended without a finished run."""
    return report.failure or NO_RESULT


def stopped(run_id: str, epoch: int, time_s: float) -> Event:
    """Return the row of a run that the end of a session interrupts."""
    return Event(f"stopped:{run_id}:{epoch}", EventKind.STOPPED, time_s, run_id=run_id)


def closed(epoch: int, time_s: float, reason: str, again: Collection[str] = ()) -> Event:
    """Return the row that ends a session.

    Args:
        epoch: Epoch of the driver.
        time_s: Seconds since the epoch.
        reason: Reason for the end.
        again: Runs that failed alike for good; the next session repeats them.
    """
    payload = {AGAIN: list(again)} if again else {}
    return Event(f"closed:{epoch}", EventKind.CLOSED, time_s, message=reason, payload=payload)
