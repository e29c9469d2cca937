"""Trying again while storage is away: one rule for drivers, worker groups and object stores."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from paretoflow.core.errors import FencedError, SchemaVersionError

OUTAGE_S = 180.0
"""How long storage may be away before whoever needs it gives up."""
RETRY_S = 5.0
"""The longest wait before the next try."""
_T = TypeVar("_T")


def _always(error: Exception) -> bool:
    return True


@dataclass(frozen=True)
class Patience:
    """How long a failing call is made again, and after which waits.

    Args:
        away: Errors that may pass. A newer driver and a newer version of the tables never do: they
            are raised at once.
        passes: Whether one of these errors passes; the others are raised at once.
        for_s: How long to go on; the last failure is raised then.
        first_s: The first wait; each further one is twice as long, up to `RETRY_S`.
        now: Seconds of any clock; None for that of this machine.
        pause: Lets so many seconds pass; None sleeps.
        told: Hears of every failure that is waited for.
    """

    away: tuple[type[Exception], ...]
    passes: Callable[[Exception], bool] = _always
    for_s: float = OUTAGE_S
    first_s: float = RETRY_S
    now: Callable[[], float] | None = None
    pause: Callable[[float], None] | None = None
    told: Callable[[Exception], None] = lambda error: None


def patiently(call: Callable[[], _T], patience: Patience) -> _T:
    """Make a call again and again while its failure is one that passes; return what it returns.

    Args:
        call: Does nothing twice: it may have worked although it failed.
        patience: How long.
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
