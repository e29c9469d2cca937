"""Attribute an escaping error to the one boundary that it crossed.

This is the only module of the engine that may catch any exception.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from paretoflow.core.errors import (
    AdapterError,
    ChangedInputsError,
    DataError,
    LedgerError,
    MethodError,
    ModelError,
    NonFiniteLossError,
    ObjectiveError,
    ParetoflowError,
    PluginError,
    RunInterrupted,
    StorageError,
    UserError,
    WorkerError,
)
from paretoflow.core.shown import without_secrets
from paretoflow.core.status import Boundary
from paretoflow.engine.failures.memory import is_out_of_memory
from paretoflow.engine.failures.outages import outage_of
from paretoflow.engine.messages import Cause, Failure

SMALLER = "lower method.batch_size or model.generation.batch_size, or raise engine.resources"
"""Advice for a run that is out of memory although its forward batches hold one example each."""

_BOUNDARIES: tuple[tuple[type[BaseException], Boundary, bool], ...] = (
    (ObjectiveError, Boundary.OBJECTIVE, True),
    (DataError, Boundary.DATA, False),
    (ChangedInputsError, Boundary.DATA, False),
    (PluginError, Boundary.DATA, False),
    (AdapterError, Boundary.STORE, False),
    (ModelError, Boundary.METHOD, False),
    (StorageError, Boundary.STORE, True),
    (UserError, Boundary.METHOD, False),
    (NonFiniteLossError, Boundary.METHOD, False),
    (MethodError, Boundary.METHOD, True),
    (LedgerError, Boundary.STORE, True),
    (WorkerError, Boundary.WORKER, True),
    (RunInterrupted, Boundary.WORKER, True),
    (OSError, Boundary.STORE, True),
)
"""Error, boundary, and whether another attempt may succeed; the first match counts."""


def failure_of(error: BaseException, places: Sequence[Path] = ()) -> Failure:
    """Return the failure, with its boundary, of an error that ended an attempt.

    An error that no plug-in author raised on purpose came from the method's training code, so its
    boundary is the method. Running out of memory belongs to the worker, wherever it happened.
    Failures of disk, network and storage cost a run no retries.

    Args:
        error: The error that ended the attempt.
        places: Folders that the attempt writes to.
    """
    details = without_secrets("".join(traceback.format_exception(error)))
    if is_out_of_memory(error):
        message = f"out of memory: {_in_one_line(error)} ({SMALLER})"
        return Failure(Boundary.WORKER, message, True, details, Cause.OUT_OF_MEMORY)
    interrupted = isinstance(error, RunInterrupted)
    outage = None if interrupted else outage_of(error, places)
    if outage is not None:
        message = f"{outage.what}: {_in_one_line(error)}"
        return Failure(outage.boundary, message, True, details, Cause.OUTAGE, outage.what)
    boundary, retryable = next(
        ((b, again) for kind, b, again in _BOUNDARIES if isinstance(error, kind)),
        (Boundary.METHOD, True),
    )
    cause = Cause.LOST if interrupted else Cause.ERROR
    code = error.code if isinstance(error, ParetoflowError) else ""
    return Failure(boundary, _in_one_line(error), retryable, details, cause, code=code)


def death_of(error: WorkerError) -> Failure:
    """Return the failure of a run whose process ended or fell silent for an unknown reason."""
    return replace(failure_of(error), cause=Cause.DIED)


def _in_one_line(error: BaseException) -> str:
    ours = isinstance(error, ParetoflowError)
    message = str(error) if ours else without_secrets(f"{type(error).__name__}: {error}")
    return message.splitlines()[0] if message else type(error).__name__


def failure_in(work: Callable[[], None], places: Sequence[Path] = ()) -> Failure | None:
    """Do an attempt's work; return its failure, or None.

    The work runs code of other authors (methods, objectives, oracles). So no exception but those
    that end the process may escape: a failed attempt is a row and never ends other attempts.

    Args:
        work: The work of the attempt.
        places: Folders that the attempt writes to.
    """
    try:
        work()
    except Exception as error:  # noqa: BLE001
        return failure_of(error, places)
    return None


def trouble_in(work: Callable[[], None]) -> str | None:
    """Do work that the sweep does not depend on; return its error in one line, or None."""
    failure = failure_in(work)
    return failure.message if failure else None


def error_in(work: Callable[[], object]) -> ParetoflowError | None:
    """Do the work of loading; return its error in a form that can cross processes, or None.

    Loading runs code of other authors, like a run. The process must survive to report the error.
    """
    try:
        work()
    except ParetoflowError as error:
        return error
    except Exception as error:  # noqa: BLE001
        trace = traceback.extract_tb(error.__traceback__)
        where = f"{trace[-1].filename}:{trace[-1].lineno}" if trace else ""
        return WorkerError(f"cannot load: {_in_one_line(error)}", where, code="worker-start")
    return None
