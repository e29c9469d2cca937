"""Going on with a write while storage is away."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from paretoflow.core.errors import FencedError, LedgerError, SchemaVersionError

OUTAGE_S = 180.0
"""How long storage may be away before a driver or a worker group gives up."""
RETRY_S = 5.0
"""How long to wait before the next try."""
_T = TypeVar("_T")


def patiently(
    write: Callable[[], _T],
    now: Callable[[], float],
    pause: Callable[[float], None],
    *,
    away: tuple[type[Exception], ...] = (LedgerError,),
    told: Callable[[Exception], None] = lambda error: None,
    for_s: float = OUTAGE_S,
) -> _T:
    """Write again and again while storage is away, and return what the write returned.

    Args:
        write: Does nothing twice: it may have landed although it failed.
        now: Seconds of any clock.
        pause: Lets so many seconds pass.
        away: Errors that say that storage is away. One that waiting cannot mend is raised at once:
            a newer driver, or a newer version of the tables.
        told: Hears of every failure that is waited for.
        for_s: How long to go on; the last failure is raised then.
    """
    until_s = now() + for_s
    while True:
        try:
            return write()
        except (FencedError, SchemaVersionError):
            raise
        except away as error:
            if now() + RETRY_S > until_s:
                raise
            told(error)
            pause(RETRY_S)
