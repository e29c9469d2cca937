"""Mailbox between a worker's driver and its work, with threads as in a real worker."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from paretoflow.core.errors import FencedError, ModelError, RunInterrupted
from paretoflow.core.launch import Launch
from paretoflow.core.status import Boundary
from paretoflow.engine.live import GroupPhase
from paretoflow.engine.messages import Failure, Report
from paretoflow.engine.runtime.mailbox import Mailbox
from paretoflow.engine.runtime.poll import LoadResult, PollRequest
from tests.faults import raises
from tests.unit.engine.telling import CALIBRATED, proposal

LAUNCH = Launch("a", 1, proposal())
CALL = PollRequest(epoch=1, since=-1, recorded=-1, wait_s=0.0, orphan_s=100.0)
LONG = replace(CALL, wait_s=20.0)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox(epoch=1, orphan_s=100.0)


def test_nothing_is_forgotten_before_the_driver_says_that_it_is_recorded(mailbox: Mailbox) -> None:
    for event_id in range(3):
        mailbox.tell(Report(f"run{event_id}", 0))
    told = mailbox.poll(CALL).messages
    assert [number for number, _ in told] == [0, 1, 2]
    assert mailbox.poll(replace(CALL, since=1)).messages == told[2:]
    assert mailbox.poll(CALL).messages == told  # another driver, which has heard nothing
    assert mailbox.poll(replace(CALL, since=2, recorded=1)).messages == ()
    assert mailbox.poll(CALL).messages == told[2:]


def test_news_ends_a_drivers_wait_at_once(mailbox: Mailbox) -> None:
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(mailbox.poll(LONG)))
    waiting.start()
    time.sleep(0.05)
    mailbox.tell(Report("a", 0))
    waiting.join(5)
    assert [number for number, _ in answers[0].messages] == [0]


def test_messages_that_an_earlier_driver_recorded_are_no_news_to_the_next(
    mailbox: Mailbox,
) -> None:
    """It would be answered at once, with nothing, for as long as nothing happens."""
    mailbox.tell(Report("a", 0))
    mailbox.poll(replace(CALL, since=0, recorded=0))
    newer = replace(CALL, epoch=2)
    assert mailbox.poll(newer).messages == ()
    waiting = mailbox.receive(newer)
    assert not mailbox.has_news(waiting)
    mailbox.tell(Report("b", 0))
    assert mailbox.has_news(waiting)


def test_a_newer_driver_ends_the_wait_of_an_older_one_which_is_refused_from_then_on(
    mailbox: Mailbox,
) -> None:
    refused = []

    def listen() -> None:
        try:
            mailbox.poll(LONG)
        except FencedError as error:
            refused.append(error)

    waiting = threading.Thread(target=listen)
    waiting.start()
    time.sleep(0.05)
    mailbox.poll(replace(CALL, epoch=2))
    waiting.join(5)
    assert "a newer driver (epoch 2) has taken over" in str(refused[0])
    with pytest.raises(FencedError):
        mailbox.check_epoch(1)
    mailbox.check_epoch(2)


def test_a_launch_from_its_beginning_to_its_end(mailbox: Mailbox) -> None:
    mailbox.loading()
    assert mailbox.poll(CALL).phase is GroupPhase.LOADING
    mailbox.loaded(LoadResult((CALIBRATED,)))
    assert mailbox.poll(CALL).loaded
    mailbox.begin(LAUNCH)
    mailbox.progress(7)
    reply = mailbox.poll(CALL)
    assert (reply.phase, reply.launch, reply.training) == (GroupPhase.BUSY, LAUNCH, True)
    assert reply.step == 7
    assert reply.still_s < 5
    with raises("worker", "busy already"):
        mailbox.begin(LAUNCH)
    mailbox.ended(None)
    reply = mailbox.poll(CALL)
    assert (reply.phase, reply.launch, reply.training) == (GroupPhase.IDLE, LAUNCH, False)
    assert reply.messages[-1][1] == Report("a", 1, ended=True)


def test_loading_that_failed_says_why(mailbox: Mailbox) -> None:
    mailbox.loading()
    mailbox.loaded(LoadResult(error=ModelError("no weights")))
    reply = mailbox.poll(CALL)
    ((_, message),) = reply.messages
    assert isinstance(message, LoadResult)
    assert isinstance(message.error, ModelError)
    assert (reply.phase, reply.loaded) == (GroupPhase.IDLE, False)


def test_a_rank_that_leaves_finishes_saving_and_takes_nothing_more(mailbox: Mailbox) -> None:
    mailbox.begin(LAUNCH)
    assert not mailbox.stopping()
    mailbox.drain("its machine goes")
    assert mailbox.stopping()
    assert mailbox.at_work()
    mailbox.ended(Failure(Boundary.WORKER, "stopped after step 2", retryable=True))
    assert not mailbox.at_work()
    reply = mailbox.poll(CALL)
    assert (reply.phase, reply.reason) == (GroupPhase.LEAVING, "its machine goes")
    ((_, report),) = reply.messages
    assert isinstance(report, Report)
    assert report.failure is not None
    assert report.failure.message == "its machine goes: stopped after step 2"
    with raises("interrupted", "machine"):
        mailbox.begin(LAUNCH)


def test_a_rank_is_an_orphan_when_no_driver_calls_for_long() -> None:
    now_s = [0.0]
    mailbox = Mailbox(epoch=1, orphan_s=50.0, now=lambda: now_s[0])
    assert mailbox.deserted() == ""
    now_s[0] = 51.0
    assert mailbox.deserted() == "no driver called for 50 s"
    mailbox.poll(CALL)  # and one that is new to it has other limits
    assert mailbox.deserted() == ""


def test_a_run_is_paused_by_its_name_and_the_next_one_is_not(mailbox: Mailbox) -> None:
    mailbox.begin(LAUNCH)
    mailbox.suspend("a", 0, "of an older attempt")
    assert (mailbox.stopping(), mailbox.suspended()) == (False, "")
    mailbox.suspend("a", 1, "two are ahead")
    assert (mailbox.stopping(), mailbox.suspended()) == (True, "two are ahead")
    mailbox.ended(None)
    mailbox.suspend("a", 1, "after its end")
    mailbox.begin(replace(LAUNCH, attempt=2))
    assert (mailbox.stopping(), mailbox.suspended()) == (False, "")


def test_a_count_before_the_first_launch_is_a_sign_of_life() -> None:
    now_s = [0.0]
    mailbox = Mailbox(epoch=1, orphan_s=100.0, now=lambda: now_s[0])
    mailbox.loading()
    now_s[0] += 50.0
    assert mailbox.poll(CALL).still_s >= 50.0
    mailbox.doing("sampling answers", 96, 384)
    reply = mailbox.poll(CALL)
    assert reply.still_s < 10.0
    assert str(reply.doing) == "sampling answers 96 of 384"
    now_s[0] += 50.0
    mailbox.doing("preparing", 0, 0)  # a scorer that returned: the count says more
    reply = mailbox.poll(CALL)
    assert reply.still_s < 10.0
    assert str(reply.doing) == "sampling answers 96 of 384"
    mailbox.loaded(LoadResult())
    assert mailbox.poll(CALL).doing is None


def test_loading_that_is_asked_to_leave_is_waited_for(mailbox: Mailbox) -> None:
    mailbox.loading()
    mailbox.drain("the sweep stops")
    assert mailbox.stopping()
    assert mailbox.poll(CALL).phase is GroupPhase.LOADING
    assert mailbox.at_work()
    mailbox.loaded(LoadResult(error=RunInterrupted("stopped")))
    assert mailbox.poll(CALL).phase is GroupPhase.LEAVING
    assert not mailbox.at_work()
