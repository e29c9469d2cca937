"""What a rank keeps between its driver and its work, in threads as in a real rank."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from paretoflow.core.errors import FencedError, ModelError, RunInterrupted, WorkerError
from paretoflow.core.status import Boundary
from paretoflow.engine.live import GangPhase
from paretoflow.engine.messages import Failure, Launch, Report
from paretoflow.engine.runtime.mailbox import Call, Desk, Loaded
from tests.unit.engine.telling import CALIBRATED, proposal

LAUNCH = Launch("a", 1, proposal())
CALL = Call(epoch=1, since=-1, recorded=-1, wait_s=0.0, orphan_s=100.0)
LONG = replace(CALL, wait_s=20.0)


@pytest.fixture
def desk() -> Desk:
    return Desk(epoch=1, orphan_s=100.0)


def test_nothing_is_forgotten_before_the_driver_says_that_it_is_recorded(desk: Desk) -> None:
    for event_id in range(3):
        desk.tell(Report(f"run{event_id}", 0))
    told = desk.hear(CALL).messages
    assert [number for number, _ in told] == [0, 1, 2]
    assert desk.hear(replace(CALL, since=1)).messages == told[2:]
    assert desk.hear(CALL).messages == told  # another driver, which has heard nothing
    assert desk.hear(replace(CALL, since=2, recorded=1)).messages == ()
    assert desk.hear(CALL).messages == told[2:]


def test_news_ends_a_drivers_wait_at_once(desk: Desk) -> None:
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(desk.hear(LONG)))
    waiting.start()
    time.sleep(0.05)
    desk.tell(Report("a", 0))
    waiting.join(5)
    assert [number for number, _ in answers[0].messages] == [0]


def test_a_newer_driver_ends_the_wait_of_an_older_one_which_is_refused_from_then_on(
    desk: Desk,
) -> None:
    refused = []

    def listen() -> None:
        try:
            desk.hear(LONG)
        except FencedError as error:
            refused.append(error)

    waiting = threading.Thread(target=listen)
    waiting.start()
    time.sleep(0.05)
    desk.hear(replace(CALL, epoch=2))
    waiting.join(5)
    assert "a newer driver (epoch 2) has taken over" in str(refused[0])
    with pytest.raises(FencedError):
        desk.obey(1)
    desk.obey(2)


def test_a_launch_from_its_beginning_to_its_end(desk: Desk) -> None:
    desk.loading()
    assert desk.hear(CALL).phase is GangPhase.LOADING
    desk.loaded(Loaded((CALIBRATED,)))
    assert desk.hear(CALL).loaded
    desk.begin(LAUNCH)
    desk.progress(7)
    heard = desk.hear(CALL)
    assert (heard.phase, heard.launch, heard.training) == (GangPhase.BUSY, LAUNCH, True)
    assert heard.step == 7
    assert heard.still_s < 5
    with pytest.raises(WorkerError, match="busy already"):
        desk.begin(LAUNCH)
    desk.ended(None)
    heard = desk.hear(CALL)
    assert (heard.phase, heard.launch, heard.training) == (GangPhase.IDLE, LAUNCH, False)
    assert heard.messages[-1][1] == Report("a", 1, ended=True)


def test_loading_that_failed_says_why(desk: Desk) -> None:
    desk.loading()
    desk.loaded(Loaded(error=ModelError("no weights")))
    heard = desk.hear(CALL)
    ((_, message),) = heard.messages
    assert isinstance(message, Loaded)
    assert isinstance(message.error, ModelError)
    assert (heard.phase, heard.loaded) == (GangPhase.IDLE, False)


def test_a_rank_that_leaves_finishes_saving_and_takes_nothing_more(desk: Desk) -> None:
    desk.begin(LAUNCH)
    assert not desk.stopping()
    desk.leave("its machine goes")
    assert desk.stopping()
    assert not desk.wait_until_still(0)
    desk.ended(Failure(Boundary.WORKER, "stopped after step 2", retryable=True))
    assert desk.wait_until_still(0)
    heard = desk.hear(CALL)
    assert (heard.phase, heard.reason) == (GangPhase.LEAVING, "its machine goes")
    ((_, report),) = heard.messages
    assert isinstance(report, Report)
    assert report.failure is not None
    assert report.failure.message == "its machine goes: stopped after step 2"
    with pytest.raises(RunInterrupted, match="the worker leaves: its machine goes"):
        desk.begin(LAUNCH)


def test_a_rank_is_an_orphan_when_no_driver_calls_for_long() -> None:
    desk = Desk(epoch=1, orphan_s=0.05)
    assert desk.deserted() == ""
    time.sleep(0.06)
    assert desk.deserted() == "no driver called for 0.05 s"
    desk.hear(CALL)  # and one that is new to it has other limits
    assert desk.deserted() == ""


def test_a_run_is_paused_by_its_name_and_the_next_one_is_not(desk: Desk) -> None:
    desk.begin(LAUNCH)
    desk.suspend("a", 0, "of an older attempt")
    assert (desk.stopping(), desk.suspended()) == (False, "")
    desk.suspend("a", 1, "two are ahead")
    assert (desk.stopping(), desk.suspended()) == (True, "two are ahead")
    desk.ended(None)
    desk.suspend("a", 1, "after its end")
    desk.begin(replace(LAUNCH, attempt=2))
    assert (desk.stopping(), desk.suspended()) == (False, "")


def test_a_count_before_the_first_launch_is_a_sign_of_life(desk: Desk) -> None:
    desk.loading()
    desk._moved_at -= 50.0
    assert desk.hear(CALL).still_s >= 50.0
    desk.doing("sampling answers", 96, 384)
    heard = desk.hear(CALL)
    assert heard.still_s < 10.0
    assert str(heard.doing) == "sampling answers 96 of 384"
    desk._moved_at -= 50.0
    desk.doing("preparing", 0, 0)  # a scorer that returned: the count says more
    heard = desk.hear(CALL)
    assert heard.still_s < 10.0
    assert str(heard.doing) == "sampling answers 96 of 384"
    desk.loaded(Loaded())
    assert desk.hear(CALL).doing is None


def test_loading_that_is_asked_to_leave_is_waited_for(desk: Desk) -> None:
    desk.loading()
    desk.leave("the sweep stops")
    assert desk.stopping()
    assert desk.hear(CALL).phase is GangPhase.LOADING
    assert not desk.wait_until_still(0.0)
    desk.loaded(Loaded(error=RunInterrupted("stopped")))
    assert desk.hear(CALL).phase is GangPhase.LEAVING
    assert desk.wait_until_still(0.0)
