"""Ctrl-C and a batch system's notice, remembered until somebody acts on them.

SIGINT and SIGTERM are taken whatever was set before: a script that starts a command in the
background has it ignore SIGINT, and Ray would just exit at SIGTERM. SIGHUP, for a terminal that is
closed, is left alone where it is ignored, as under `nohup`. They are remembered because Python
raises wherever the program happens to be, and inside a callback of a C++ library the exception may
be printed and dropped.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SAME_S = 2.0
"""A signal so soon after the last is the same request: `timeout` and batch systems send one to the
process and one to its group.
"""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignal(KeyboardInterrupt):
    """A signal that asks this process to stop; its text says which.

    Args:
        number: The signal's.
    """

    def __init__(self, number: int) -> None:
        name = signal.Signals(number).name
        by_hand = number == signal.SIGINT
        super().__init__("stopped by the user" if by_hand else f"stopped by a signal ({name})")
        self.number = number


class Interrupts:
    """Whether this process was asked to stop.

    Attributes:
        asked: The last signal; None before the first.
    """

    def __init__(self) -> None:
        self.asked: StopSignal | None = None
        self._last_s = 0.0

    def why(self) -> str:
        """Return who or what asked.

        Ray's own code raises a plain `KeyboardInterrupt` in the place of what a signal raised.
        """
        return str(self.asked or StopSignal(signal.SIGINT))

    def check(self) -> None:
        """Raise what was asked for and got lost.

        Raises:
            StopSignal: If a signal came.
        """
        if self.asked is not None:
            raise self.asked

    def status(self) -> int:
        """Return the exit status of a process that a signal stopped; 1 where none did."""
        return 1 if self.asked is None else 128 + self.asked.number

    @contextmanager
    def told_apart(self) -> Iterator[None]:
        """Have what leaves the block by a signal be a `StopSignal`."""
        try:
            yield
        except KeyboardInterrupt as error:
            if self.asked is None or error is self.asked:
                raise
            raise self.asked from error

    def take(self) -> None:
        """Take the signals, whoever has taken them since."""
        for number in _SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self.note)

    def note(self, number: int, *_: object) -> None:
        """Take a signal; one that repeats the last at once is none.

        Raises:
            StopSignal: If it is a new one.
        """
        now_s = time.monotonic()
        again = self.asked is not None and now_s - self._last_s < SAME_S
        self._last_s = now_s
        if not again:
            self.asked = StopSignal(number)
            raise self.asked


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Take the signals alike during a block; in another thread than the main one, none."""
    noted = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        noted.take = lambda: None  # type: ignore[method-assign]
        yield noted
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    noted.take()
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
