"""Handling of Ctrl-C and a batch system's stop signal, which are kept until code acts on them.

SIGINT and SIGTERM are handled whatever was set before: a script that starts a command in the
background makes it ignore SIGINT, and Ray would just exit at SIGTERM. SIGHUP, for a terminal that
is closed, is left alone where it is ignored, as under `nohup`. Signals are kept because Python
raises the exception at any point of the program, and inside a callback of a C++ library it may be
printed and dropped.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SAME_S = 2.0
"""Seconds within which a further signal counts as the same request: `timeout` and batch systems
send one to the process and one to its group.
"""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignal(KeyboardInterrupt):
    """A signal that requests this process to stop; its text names the signal.

    Args:
        number: Number of the signal.
    """

    def __init__(self, number: int) -> None:
        name = signal.Signals(number).name
        by_hand = number == signal.SIGINT
        super().__init__("stopped by the user" if by_hand else f"stopped by a signal ({name})")
        self.number = number


class Interrupts:
    """The request to stop this process, if there was one.

    Attributes:
        asked: The last signal; None before the first.
    """

    def __init__(self) -> None:
        self.asked: StopSignal | None = None
        self._last_s = 0.0

    def why(self) -> str:
        """Return the origin of the request, in words.

        Ray's own code replaces the exception of a signal by a plain `KeyboardInterrupt`.
        """
        return str(self.asked or StopSignal(signal.SIGINT))

    def check(self) -> None:
        """Raise the exception of a signal again, in case it was lost.

        Raises:
            StopSignal: If a signal arrived.
        """
        if self.asked is not None:
            raise self.asked

    def status(self) -> int:
        """Return the exit status of a process that a signal stopped; 1 without a signal."""
        return 1 if self.asked is None else 128 + self.asked.number

    @contextmanager
    def told_apart(self) -> Iterator[None]:
        """Turn a `KeyboardInterrupt` that a signal caused in the block into a `StopSignal`."""
        try:
            yield
        except KeyboardInterrupt as error:
            if self.asked is None or error is self.asked:
                raise
            raise self.asked from error

    def take(self) -> None:
        """Install the signal handlers, in place of any others."""
        for number in _SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self.note)

    def note(self, number: int, *_: object) -> None:
        """Handle a signal; one that repeats the last within `SAME_S` is ignored.

        Raises:
            StopSignal: If the signal is new.
        """
        now_s = time.monotonic()
        again = self.asked is not None and now_s - self._last_s < SAME_S
        self._last_s = now_s
        if not again:
            self.asked = StopSignal(number)
            raise self.asked


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Handle the signals during a block; do nothing in another thread than the main one."""
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
