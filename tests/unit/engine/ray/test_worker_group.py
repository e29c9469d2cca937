"""What the answers of several ranks add up to, with ranks that are desks in this process."""

from __future__ import annotations

import importlib
import time
from typing import Any

import pytest

from paretoflow.core.errors import FencedError, ModelError
from paretoflow.core.status import Boundary
from paretoflow.engine.live import GangPhase
from paretoflow.engine.messages import Cause, Failure, Launch, Report
from paretoflow.engine.runtime.mailbox import Call, Desk, Loaded
from paretoflow.spec.engine import LimitsSpec
from tests.unit.engine.telling import CALIBRATED, PROBLEM, proposal

pytestmark = pytest.mark.ray
pytest.importorskip("ray")
gangs = importlib.import_module("paretoflow.engine.ray.worker_group")
member = importlib.import_module("paretoflow.engine.ray.worker_handle")
gang_module = importlib.import_module("paretoflow.engine.ray.worker_actor")

LAUNCH = Launch("a", 0, proposal())
FAILED = Failure(Boundary.METHOD, "broke", retryable=True)
FULL = Failure(Boundary.WORKER, "full", retryable=True, cause=Cause.OUT_OF_MEMORY)
BROKEN = Failure(Boundary.WORKER, "the connection broke", True, "", Cause.OUTAGE, "it broke")
NO_SPACE = Failure(Boundary.STORE, "no space left", True, "", Cause.OUTAGE, "no space left")
ANOTHER = Failure(Boundary.WORKER, "another rank of the gang failed", retryable=True)


class Answer:
    """What a call returned or raised; stands for Ray's handle of it."""

    def __init__(self, work: Any) -> None:
        self._work = work

    def get(self) -> Any:
        return self._work()


class Method:
    def __init__(self, work: Any) -> None:
        self._work = work

    def options(self, concurrency_group: str) -> Method:
        assert concurrency_group == member.CALLS
        return self

    def remote(self, *args: Any) -> Answer:
        return Answer(lambda: self._work(*args))


class FakeRank:
    """A rank whose work is done by hand, through its desk."""

    def __init__(self, number: int) -> None:
        self.desk = Desk(epoch=1, orphan_s=100.0)
        self.loads: list[Any] = []
        self.hear = Method(self.desk.hear)
        self.begin = Method(lambda epoch, launch: self.desk.begin(launch))
        self.leave = Method(lambda epoch, reason: self.desk.leave(reason))
        self.suspend = Method(lambda epoch, *which: self.desk.suspend(*which))
        self.load = Method(self._load)
        self.meeting_point = Method(lambda: ("10.0.0.1", 1234))
        place = gang_module.Whereabouts(f"node{number}", f"10.0.0.{number}", 1)
        self.whereabouts = Method(lambda: place)

    def _load(self, epoch: int, problem: Any, meeting: Any) -> None:
        self.loads.append((problem, meeting))
        self.desk.loading()


@pytest.fixture(autouse=True)
def no_ray(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    ended: list[Any] = []
    monkeypatch.setattr(member.ray, "get", lambda ref: ref.get())
    monkeypatch.setattr(gangs.ray, "kill", lambda actor, no_restart: ended.append(actor))
    monkeypatch.setattr(gangs.ray.util, "remove_placement_group", ended.append)
    return ended


def gang_of(ranks: int, **limits: float) -> Any:
    terms = member.Terms(1, LimitsSpec(**limits), 0.0, ranks == 1)
    members = [member.Member(FakeRank(number), terms) for number in range(ranks)]
    gang = gangs.Gang(0, members, "group")
    gang.introduce()
    return gang


def hear(gang: Any) -> list[Report]:
    """Let every rank answer what it was asked."""
    gang.listen()
    told: list[Report] = gang.take(set(gang.awaited()))
    return told


def load(gang: Any) -> None:
    hear(gang)
    gang.load(PROBLEM)
    hear(gang)
    for m in gang.members:
        m.actor.desk.loaded(Loaded())
    hear(gang)


def test_ranks_that_train_together_meet_before_they_load() -> None:
    gang = gang_of(2)
    gang.load(PROBLEM)
    assert gang.members[0].actor.loads == []
    hear(gang)
    gang.load(PROBLEM)
    hear(gang)
    assert [m.actor.loads for m in gang.members] == [[(PROBLEM, ("10.0.0.1", 1234))]] * 2
    assert gang.phase is GangPhase.LOADING
    for m in gang.members:
        m.actor.desk.loaded(Loaded())
    hear(gang)
    assert gang.phase is GangPhase.IDLE
    assert gang.nodes == {"node0", "node1"}
    assert gang.state().where == ("10.0.0.0", "10.0.0.1")


def test_the_first_rank_does_the_shared_stage_alone() -> None:
    gang = gang_of(2)
    hear(gang)
    gang.load(None)
    hear(gang)
    assert [len(m.actor.loads) for m in gang.members] == [1, 0]
    gang.members[0].actor.desk.loaded(Loaded((CALIBRATED,)))
    hear(gang)
    assert gang.calibrated == (CALIBRATED,)
    assert gang.phase is GangPhase.LOADING
    gang.load(PROBLEM)
    hear(gang)
    assert [len(m.actor.loads) for m in gang.members] == [1, 1]


def test_the_first_rank_alone_is_asked_to_pause_a_run() -> None:
    gang = gang_of(2)
    load(gang)
    gang.begin(LAUNCH)
    hear(gang)
    gang.suspend(("another", 0), "two are ahead")
    hear(gang)
    assert not any(m.actor.desk.stopping() for m in gang.members)
    gang.suspend(("a", 0), "two are ahead")
    hear(gang)
    assert [m.actor.desk.suspended() for m in gang.members] == ["two are ahead", ""]
    for m in gang.members:
        m.actor.desk.ended(None)
    (report,) = hear(gang)
    assert (report.ended, report.failure, gang.phase) == (True, None, GangPhase.IDLE)


def test_a_launch_is_over_when_every_rank_has_ended_it() -> None:
    gang = gang_of(2)
    load(gang)
    gang.begin(LAUNCH)
    assert hear(gang) == []
    first, second = (m.actor.desk for m in gang.members)
    first.tell(Report("a", 0, (CALIBRATED,)))
    assert hear(gang) == [Report("a", 0, (CALIBRATED,))]
    first.ended(None)
    assert hear(gang) == []
    assert gang.phase is GangPhase.BUSY
    second.ended(None)
    assert hear(gang) == [Report("a", 0, ended=True)]
    assert gang.phase is GangPhase.IDLE


def test_of_several_failures_the_one_that_tells_most_counts() -> None:
    gang = gang_of(2)
    load(gang)
    gang.begin(LAUNCH)
    hear(gang)
    gang.members[0].actor.desk.ended(FAILED)
    gang.members[1].actor.desk.ended(FULL)
    (report,) = hear(gang)
    assert report.failure == FULL


def test_a_rank_that_waits_for_a_failed_one_is_not_waited_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gang = gang_of(2)
    load(gang)
    gang.begin(LAUNCH)
    hear(gang)
    gang.members[1].actor.desk.ended(FAILED)
    assert hear(gang) == []
    monkeypatch.setattr(gangs, "GRACE_S", -1.0)
    (report,) = hear(gang)
    assert report.failure == FAILED


def test_a_gang_whose_rank_is_told_to_leave_takes_no_launch_any_more() -> None:
    gang = gang_of(2)
    load(gang)
    gang.members[1].actor.desk.leave("its node goes")
    hear(gang)
    assert (gang.phase, gang.state().reason) == (GangPhase.LEAVING, "its node goes")


def test_a_run_put_down_for_one_rank_says_why_whichever_rank_tells_first() -> None:
    gang = gang_of(2)
    load(gang)
    gang.begin(LAUNCH)
    hear(gang)
    first, second = (m.actor.desk for m in gang.members)
    second.leave("its node goes")
    stopped = Failure(Boundary.WORKER, "stopped after step 2", retryable=True, cause=Cause.LOST)
    first.ended(stopped)
    second.ended(stopped)
    (report,) = hear(gang)
    assert report.failure is not None
    assert report.failure.message == "its node goes: stopped after step 2"


def test_why_a_gang_could_not_load_is_kept() -> None:
    gang = gang_of(1)
    hear(gang)
    gang.load(PROBLEM)
    hear(gang)
    gang.members[0].actor.desk.loaded(Loaded(error=ModelError("no weights")))
    hear(gang)
    assert isinstance(gang.error, ModelError)
    gang.load(PROBLEM)  # it is replaced, not asked again
    assert len(gang.members[0].actor.loads) == 1


def adopted(gang: Any) -> tuple[Any, bool]:
    """Return the gang as a newer driver finds it, and whether its ranks agree."""
    terms = member.Terms(2, LimitsSpec(), 0.0, len(gang.members) == 1)
    members = [member.Member(m.actor, terms) for m in gang.members]
    found = gangs.Gang(0, members, "group")
    place = gang_module.Whereabouts("node", "10.0.0.9", 1)
    call = Call(2, -1, -1, 0.0, 100.0)
    agree = found.adopt([(m.actor.desk.hear(call), place) for m in gang.members])
    return found, agree


def test_a_new_driver_finds_a_gang_at_work_and_hears_the_end() -> None:
    gang = gang_of(2)
    load(gang)
    gang.begin(LAUNCH)
    hear(gang)
    found, agree = adopted(gang)
    assert agree
    assert (found.launch, found.phase) == (LAUNCH, GangPhase.BUSY)
    for m in gang.members:
        m.actor.desk.ended(None)
    assert hear(found) == [Report("a", 0, ended=True)]
    with pytest.raises(FencedError):
        hear(gang)


def test_an_end_that_no_driver_recorded_is_heard_again() -> None:
    gang = gang_of(1)
    load(gang)
    gang.begin(LAUNCH)
    hear(gang)
    gang.members[0].actor.desk.ended(FAILED)
    assert [r.failure for r in hear(gang)] == [FAILED]
    found, _ = adopted(gang)
    assert found.launch == LAUNCH
    assert [r.failure for r in hear(found)] == [FAILED]


def test_an_end_that_is_recorded_is_not_heard_again() -> None:
    gang = gang_of(1)
    load(gang)
    gang.begin(LAUNCH)
    hear(gang)
    gang.members[0].actor.desk.ended(FAILED)
    hear(gang)
    gang.members[0].hand_over()
    gang.members[0].acknowledge()
    hear(gang)
    found, _ = adopted(gang)
    assert (found.launch, found.phase) == (None, GangPhase.IDLE)


def test_a_rank_whose_end_was_recorded_apart_from_the_others_is_not_waited_for() -> None:
    gang = gang_of(2)
    load(gang)
    gang.begin(LAUNCH)
    hear(gang)
    gang.members[1].actor.desk.ended(None)
    hear(gang)
    for m in gang.members:
        m.hand_over()
        m.acknowledge()
    hear(gang)
    found, agree = adopted(gang)
    assert agree
    gang.members[0].actor.desk.ended(None)
    assert hear(found) == [Report("a", 0, ended=True)]


def test_ranks_that_a_launch_reached_in_part_disagree() -> None:
    gang = gang_of(2)
    load(gang)
    gang.members[0].actor.desk.begin(LAUNCH)
    _, agree = adopted(gang)
    assert not agree


def test_a_launch_that_is_over_is_forgotten_and_one_in_training_is_not() -> None:
    gang = gang_of(1)
    load(gang)
    gang.begin(LAUNCH)
    hear(gang)
    assert not gang.forget()
    gang.members[0].actor.desk.ended(None)
    gang.listen()
    found, _ = adopted(gang)
    assert found.forget()
    assert found.launch is None


def test_limits_of_a_run_and_of_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    gang = gang_of(1, run_s=50, silent_s=20, heartbeat_s=5)
    load(gang)
    gang.begin(LAUNCH)
    hear(gang)
    assert gang.trouble() is None
    start = time.monotonic()
    gang.listen()
    monkeypatch.setattr(time, "monotonic", lambda: start + 6)
    assert "does not answer, for longer than engine.limits.heartbeat_s = 5 s" in words(gang)
    monkeypatch.setattr(time, "monotonic", lambda: start + 21)
    gang.take(set(gang.awaited()))
    assert "no sign of progress for engine.limits.silent_s = 20 s" in words(gang)
    gang.members[0].actor.desk.progress(3)
    hear(gang)
    assert gang.trouble() is None
    monkeypatch.setattr(time, "monotonic", lambda: start + 51)
    gang.members[0].actor.desk.progress(4)
    hear(gang)
    assert "ran past engine.limits.run_s = 50 s" in words(gang)
    assert gang.state().step == 4


def test_ranks_may_stand_still_while_one_of_them_gets_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first rank evaluates for long; the others wait for it and give no sign."""
    gang = gang_of(3, silent_s=20, heartbeat_s=1000)
    load(gang)
    gang.begin(LAUNCH)
    hear(gang)
    start = time.monotonic()
    for after_s in (15, 30, 45):
        monkeypatch.setattr(time, "monotonic", lambda after_s=after_s: start + after_s)
        gang.members[0].actor.desk.progress()
        hear(gang)
        assert gang.trouble() is None
    monkeypatch.setattr(time, "monotonic", lambda: start + 70)
    hear(gang)
    assert "no sign of progress for engine.limits.silent_s = 20 s" in words(gang)


@pytest.mark.parametrize(
    ("told", "noticed"),
    [
        ((FAILED, BROKEN), FAILED),
        ((BROKEN, FAILED), FAILED),
        ((NO_SPACE, ANOTHER, ANOTHER), NO_SPACE),
        ((ANOTHER, BROKEN), BROKEN),
        ((BROKEN, FULL, NO_SPACE), FULL),
    ],
)
def test_what_befell_one_rank_counts_and_not_what_the_others_noticed(
    told: tuple[Failure, ...], noticed: Failure
) -> None:
    gang = gang_of(len(told))
    load(gang)
    gang.begin(LAUNCH)
    hear(gang)
    for m, failure in zip(gang.members, told, strict=True):
        m.actor.desk.ended(failure)
    (end,) = hear(gang)
    assert end.failure == noticed


def test_a_worker_that_never_starts_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    gang = gang_of(1)
    gang.listen()
    assert gang.trouble() is None
    late = time.monotonic() + member.START_S + 1
    monkeypatch.setattr(time, "monotonic", lambda: late)
    assert "did not start within" in words(gang)


def words(gang: Any) -> str:
    failure = gang.trouble()
    assert failure is not None
    assert failure.boundary is Boundary.WORKER
    return str(failure.message)


def test_a_dismissed_gang_leaves_nothing_behind(no_ray: list[Any]) -> None:
    gang = gang_of(2)
    gang.dismiss()
    assert no_ray == [*(m.actor for m in gang.members), "group"]
