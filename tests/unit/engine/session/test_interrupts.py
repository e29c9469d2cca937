from __future__ import annotations

import os
import signal
import threading

import pytest

from paretoflow.engine.session import interrupts as module
from paretoflow.engine.session.interrupts import StopSignal, interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_that_a_library_swallowed_is_raised_again(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with interrupts() as noted:
        noted.check()
        with pytest.raises(KeyboardInterrupt):  # a library catches it, and drops it
            os.kill(os.getpid(), number)
        with pytest.raises(StopSignal) as caught:
            noted.check()
        assert (caught.value.number, noted.status()) == (number, 128 + number)
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


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_repeats_the_last_at_once_is_the_same(
    first: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    with interrupts():
        with pytest.raises(StopSignal):
            signal.raise_signal(first)
        now[0] += 0.5
        signal.raise_signal(first)  # `timeout` sends one to its child and one to the group
        signal.raise_signal(signal.SIGTERM)
        now[0] += module.SAME_S + 0.5
        with pytest.raises(StopSignal):  # asked again: at once
            signal.raise_signal(first)


def test_a_hangup_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does
    try:
        with interrupts():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_plain_interrupt_of_a_library_leaves_as_the_signal_that_it_was() -> None:
    with interrupts() as noted:
        with pytest.raises(StopSignal):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(StopSignal, match="SIGTERM"), noted.told_apart():
            raise KeyboardInterrupt
    with interrupts() as noted, pytest.raises(KeyboardInterrupt), noted.told_apart():
        raise KeyboardInterrupt  # nobody sent one
    assert noted.why() == "stopped by the user"


def test_signals_are_taken_again_from_whoever_took_them() -> None:
    with interrupts() as noted:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        noted.take()
        with pytest.raises(StopSignal):
            signal.raise_signal(signal.SIGTERM)
