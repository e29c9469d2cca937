"""A limit on what one mutant may take of the processor: a busy machine is no hang."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

WAITS = 20
"""How many times its seconds of the processor a mutant may take by the clock: it may wait too."""


class Hang(Exception):  # noqa: N818
    """A mutant took longer than its limit."""


def _ring(signum: int, frame: FrameType | None) -> None:
    raise Hang(f"stopped by {signal.Signals(signum).name}")


@contextlib.contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Raise `Hang` after so many seconds of the processor; only in the main thread."""
    clocks = {signal.SIGPROF: signal.ITIMER_PROF, signal.SIGALRM: signal.ITIMER_REAL}
    before = {number: signal.signal(number, _ring) for number in clocks}
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, WAITS * seconds)
    try:
        yield
    finally:
        for number, clock in clocks.items():
            signal.setitimer(clock, 0)
            signal.signal(number, before[number])
