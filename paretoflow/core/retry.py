"""Retries of calls to storage: one rule for drivers, worker groups and object stores."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from paretoflow.core.errors import FencedError, SchemaVersionError

OUTAGE_S = 180.0
"""Longest outage of storage that a caller waits for, in seconds."""
RETRY_S = 5.0
"""Longest wait before the next try, in seconds."""
_T = TypeVar("_T")


def _always(error: Exception) -> bool:
    return True


@dataclass(frozen=True)
class Patience:
    """Time limit and waits of a retried call.

    Args:
        away: Errors that may be temporary. The errors of a newer driver and of a newer version of
            the tables never are: they are raised at once.
        passes: Returns whether an error of `away` is temporary; other errors are raised at once.
        for_s: Seconds of retries; then the last failure is raised.
        first_s: First wait in seconds; each further wait is twice as long, up to `RETRY_S`.
        now: Returns the seconds of any clock; None for the clock of this machine.
        pause: Waits a number of seconds; None sleeps.
        told: Called with every failure before a wait.
    """

    away: tuple[type[Exception], ...]
    passes: Callable[[Exception], bool] = _always
    for_s: float = OUTAGE_S
    first_s: float = RETRY_S
    now: Callable[[], float] | None = None
    pause: Callable[[float], None] | None = None
    told: Callable[[Exception], None] = lambda error: None


def patiently(call: Callable[[], _T], patience: Patience) -> _T:
    """Retry a call while its errors are temporary; return its result.

    Args:
        call: An idempotent call: it may have taken effect although it failed.
        patience: Time limit and waits.
    """
    now, pause = patience.now or time.monotonic, patience.pause or time.sleep
    until_s, wait_s = now() + patience.for_s, patience.first_s
    while True:
        try:
            return call()
        except (FencedError, SchemaVersionError):
            raise
        except patience.away as error:
            if not patience.passes(error) or now() + wait_s > until_s:
                raise
            patience.told(error)
        pause(wait_s)
        wait_s = min(2 * wait_s, RETRY_S)
