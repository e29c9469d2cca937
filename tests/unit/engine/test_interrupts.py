from __future__ import annotations

import os
import signal
import threading

import pytest

from paretoflow.engine.interrupts import interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_that_a_library_swallowed_is_raised_again(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with interrupts() as noted:
        noted.check()
        with pytest.raises(KeyboardInterrupt):  # a library catches it, and drops it
            os.kill(os.getpid(), number)
        with pytest.raises(KeyboardInterrupt):
            noted.check()
    assert signal.getsignal(number) is before


def test_a_thread_takes_no_signals() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def work() -> None:
        with interrupts() as noted:
            noted.check()
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_command_in_the_background_of_a_script_can_be_interrupted() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts(), pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
