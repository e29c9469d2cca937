"""Ctrl-C and a batch system's notice, remembered until somebody acts on them.

Both signals are taken whatever was set before: a script that starts a command in the background
has it ignore SIGINT, and Ray would just exit at SIGTERM. They are remembered because Python raises
`KeyboardInterrupt` wherever the program happens to be, and inside a callback of a C++ library the
exception may be printed and dropped.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Whether this process was asked to stop."""

    def __init__(self) -> None:
        self._asked = False

    def check(self) -> None:
        """Raise what was asked for and got lost.

        Raises:
            KeyboardInterrupt: If a signal came.
        """
        if self._asked:
            raise KeyboardInterrupt

    def note(self, *_: object) -> None:
        """Take a signal.

        Raises:
            KeyboardInterrupt: Always.
        """
        self._asked = True
        raise KeyboardInterrupt


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Take SIGINT and SIGTERM alike during a block; in another thread than the main one, none."""
    noted = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    before = {number: signal.signal(number, noted.note) for number in _SIGNALS}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
