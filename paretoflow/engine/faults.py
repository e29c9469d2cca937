"""Attribute an escaping error to the one boundary that it crossed.

The only place in the engine that may look at any exception.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable

from paretoflow.core.errors import (
    DataError,
    LedgerError,
    MethodError,
    ModelError,
    ObjectiveError,
    ParetoflowError,
    PluginError,
    UserError,
    WorkerError,
)
from paretoflow.core.status import Boundary
from paretoflow.engine.backend import Failure

_BOUNDARIES: tuple[tuple[type[BaseException], Boundary, bool], ...] = (
    (ObjectiveError, Boundary.OBJECTIVE, True),
    (DataError, Boundary.DATA, False),
    (PluginError, Boundary.DATA, False),
    (ModelError, Boundary.METHOD, False),
    (UserError, Boundary.METHOD, False),
    (MethodError, Boundary.METHOD, True),
    (LedgerError, Boundary.STORE, True),
    (WorkerError, Boundary.WORKER, True),
    (MemoryError, Boundary.WORKER, True),
    (OSError, Boundary.STORE, True),
)
"""Error, boundary, and whether another attempt may succeed; the first match counts."""


def failure_of(error: BaseException) -> Failure:
    """Name the boundary of an error that ended an attempt.

    An error that no plug-in author raised on purpose came out of the method's training code, so it
    is the method's.
    """
    boundary, retryable = next(
        ((b, again) for kind, b, again in _BOUNDARIES if isinstance(error, kind)),
        (Boundary.METHOD, True),
    )
    message = (
        str(error) if isinstance(error, ParetoflowError) else f"{type(error).__name__}: {error}"
    )
    details = "".join(traceback.format_exception(error))
    return Failure(
        boundary, message.splitlines()[0] if message else type(error).__name__, retryable, details
    )


def failure_in(work: Callable[[], None]) -> Failure | None:
    """Do an attempt's work; return why it failed, or None when it did not.

    Runs somebody else's code (methods, objectives, oracles), so nothing short of the process itself
    may escape: a failed attempt is a row and never ends its siblings.
    """
    try:
        work()
    except Exception as error:  # noqa: BLE001
        return failure_of(error)
    return None
