"""What the answers of several ranks add up to, with ranks that are mailboxes in this process."""

from __future__ import annotations

import importlib
import time
from typing import Any

import pytest

from paretoflow.core.errors import FencedError, ModelError
from paretoflow.core.launch import Launch
from paretoflow.core.status import Boundary
from paretoflow.engine.live import GroupPhase
from paretoflow.engine.messages import Cause, Failure, Report
from paretoflow.engine.runtime.mailbox import LoadResult, Mailbox, PollRequest
from paretoflow.spec.engine import LimitsSpec
from tests.unit.engine.telling import CALIBRATED, PROBLEM, proposal

pytestmark = pytest.mark.ray
pytest.importorskip("ray")
groups = importlib.import_module("paretoflow.engine.ray.worker_group")
worker = importlib.import_module("paretoflow.engine.ray.worker_handle")
gang_module = importlib.import_module("paretoflow.engine.ray.worker_actor")

LAUNCH = Launch("a", 0, proposal())
FAILED = Failure(Boundary.METHOD, "broke", retryable=True)
FULL = Failure(Boundary.WORKER, "full", retryable=True, cause=Cause.OUT_OF_MEMORY)
BROKEN = Failure(Boundary.WORKER, "the connection broke", True, "", Cause.OUTAGE, "it broke")
NO_SPACE = Failure(Boundary.STORE, "no space left", True, "", Cause.OUTAGE, "no space left")
ANOTHER = Failure(Boundary.WORKER, "another rank of the worker group failed", retryable=True)


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
        assert concurrency_group == worker.CALLS
        return self

    def remote(self, *args: Any) -> Answer:
        return Answer(lambda: self._work(*args))


class FakeRank:
    """A rank whose work is done by hand, through its mailbox."""

    def __init__(self, number: int) -> None:
        self.mailbox = Mailbox(epoch=1, orphan_s=100.0)
        self.loads: list[Any] = []
        self.poll = Method(self.mailbox.poll)
        self.begin = Method(lambda epoch, launch: self.mailbox.begin(launch))
        self.drain = Method(lambda epoch, reason: self.mailbox.drain(reason))
        self.suspend = Method(lambda epoch, *which: self.mailbox.suspend(*which))
        self.load = Method(self._load)
        self.meeting_point = Method(lambda: ("10.0.0.1", 1234))
        place = gang_module.WorkerLocation(f"node{number}", f"10.0.0.{number}", 1)
        self.location = Method(lambda: place)

    def _load(self, epoch: int, problem: Any, meeting: Any) -> None:
        self.loads.append((problem, meeting))
        self.mailbox.loading()


@pytest.fixture(autouse=True)
def no_ray(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    ended: list[Any] = []
    monkeypatch.setattr(worker.ray, "get", lambda ref: ref.get())
    monkeypatch.setattr(groups.ray, "kill", lambda actor, no_restart: ended.append(actor))
    monkeypatch.setattr(groups.ray.util, "remove_placement_group", ended.append)
    return ended


def gang_of(ranks: int, **limits: float) -> Any:
    options = worker.GroupOptions(1, LimitsSpec(**limits), 0.0, ranks == 1)
    workers = [worker.WorkerHandle(FakeRank(number), options) for number in range(ranks)]
    group = groups.WorkerGroup(0, workers, "group")
    group.ask_locations()
    return group


def poll(group: Any) -> list[Report]:
    """Let every rank answer what it was asked."""
    group.listen()
    told: list[Report] = group.take(set(group.awaited()))
    return told


def load(group: Any) -> None:
    poll(group)
    group.load(PROBLEM)
    poll(group)
    for m in group.workers:
        m.actor.mailbox.loaded(LoadResult())
    poll(group)


def test_ranks_that_train_together_meet_before_they_load() -> None:
    group = gang_of(2)
    group.load(PROBLEM)
    assert group.workers[0].actor.loads == []
    poll(group)
    group.load(PROBLEM)
    poll(group)
    assert [m.actor.loads for m in group.workers] == [[(PROBLEM, ("10.0.0.1", 1234))]] * 2
    assert group.phase is GroupPhase.LOADING
    for m in group.workers:
        m.actor.mailbox.loaded(LoadResult())
    poll(group)
    assert group.phase is GroupPhase.IDLE
    assert group.nodes == {"node0", "node1"}
    assert group.state().where == ("10.0.0.0", "10.0.0.1")


def test_the_first_rank_does_the_shared_stage_alone() -> None:
    group = gang_of(2)
    poll(group)
    group.load(None)
    poll(group)
    assert [len(m.actor.loads) for m in group.workers] == [1, 0]
    group.workers[0].actor.mailbox.loaded(LoadResult((CALIBRATED,)))
    poll(group)
    assert group.calibrated == (CALIBRATED,)
    assert group.phase is GroupPhase.LOADING
    group.load(PROBLEM)
    poll(group)
    assert [len(m.actor.loads) for m in group.workers] == [1, 1]


def test_the_first_rank_alone_is_asked_to_pause_a_run() -> None:
    group = gang_of(2)
    load(group)
    group.begin(LAUNCH)
    poll(group)
    group.suspend(("another", 0), "two are ahead")
    poll(group)
    assert not any(m.actor.mailbox.stopping() for m in group.workers)
    group.suspend(("a", 0), "two are ahead")
    poll(group)
    assert [m.actor.mailbox.suspended() for m in group.workers] == ["two are ahead", ""]
    for m in group.workers:
        m.actor.mailbox.ended(None)
    (report,) = poll(group)
    assert (report.ended, report.failure, group.phase) == (True, None, GroupPhase.IDLE)


def test_a_launch_is_over_when_every_rank_has_ended_it() -> None:
    group = gang_of(2)
    load(group)
    group.begin(LAUNCH)
    assert poll(group) == []
    first, second = (m.actor.mailbox for m in group.workers)
    first.tell(Report("a", 0, (CALIBRATED,)))
    assert poll(group) == [Report("a", 0, (CALIBRATED,))]
    first.ended(None)
    assert poll(group) == []
    assert group.phase is GroupPhase.BUSY
    second.ended(None)
    assert poll(group) == [Report("a", 0, ended=True)]
    assert group.phase is GroupPhase.IDLE


def test_of_several_failures_the_one_that_tells_most_counts() -> None:
    group = gang_of(2)
    load(group)
    group.begin(LAUNCH)
    poll(group)
    group.workers[0].actor.mailbox.ended(FAILED)
    group.workers[1].actor.mailbox.ended(FULL)
    (report,) = poll(group)
    assert report.failure == FULL


def test_a_rank_that_waits_for_a_failed_one_is_not_waited_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    group = gang_of(2)
    load(group)
    group.begin(LAUNCH)
    poll(group)
    group.workers[1].actor.mailbox.ended(FAILED)
    assert poll(group) == []
    monkeypatch.setattr(groups, "GRACE_S", -1.0)
    (report,) = poll(group)
    assert report.failure == FAILED


def test_a_gang_whose_rank_is_told_to_leave_takes_no_launch_any_more() -> None:
    group = gang_of(2)
    load(group)
    group.workers[1].actor.mailbox.drain("its node goes")
    poll(group)
    assert (group.phase, group.state().reason) == (GroupPhase.LEAVING, "its node goes")


def test_a_run_put_down_for_one_rank_says_why_whichever_rank_tells_first() -> None:
    group = gang_of(2)
    load(group)
    group.begin(LAUNCH)
    poll(group)
    first, second = (m.actor.mailbox for m in group.workers)
    second.drain("its node goes")
    stopped = Failure(Boundary.WORKER, "stopped after step 2", retryable=True, cause=Cause.LOST)
    first.ended(stopped)
    second.ended(stopped)
    (report,) = poll(group)
    assert report.failure is not None
    assert report.failure.message == "its node goes: stopped after step 2"


def test_why_a_gang_could_not_load_is_kept() -> None:
    group = gang_of(1)
    poll(group)
    group.load(PROBLEM)
    poll(group)
    group.workers[0].actor.mailbox.loaded(LoadResult(error=ModelError("no weights")))
    poll(group)
    assert isinstance(group.error, ModelError)
    group.load(PROBLEM)  # it is replaced, not asked again
    assert len(group.workers[0].actor.loads) == 1


def adopted(group: Any) -> tuple[Any, bool]:
    """Return the worker group as a newer driver finds it, and whether its ranks agree."""
    options = worker.GroupOptions(2, LimitsSpec(), 0.0, len(group.workers) == 1)
    workers = [worker.WorkerHandle(m.actor, options) for m in group.workers]
    found = groups.WorkerGroup(0, workers, "group")
    place = gang_module.WorkerLocation("node", "10.0.0.9", 1)
    call = PollRequest(2, -1, -1, 0.0, 100.0)
    agree = found.adopt([(m.actor.mailbox.poll(call), place) for m in group.workers])
    return found, agree


def test_a_new_driver_finds_a_gang_at_work_and_hears_the_end() -> None:
    group = gang_of(2)
    load(group)
    group.begin(LAUNCH)
    poll(group)
    found, agree = adopted(group)
    assert agree
    assert (found.launch, found.phase) == (LAUNCH, GroupPhase.BUSY)
    for m in group.workers:
        m.actor.mailbox.ended(None)
    assert poll(found) == [Report("a", 0, ended=True)]
    with pytest.raises(FencedError):
        poll(group)


def test_an_end_that_no_driver_recorded_is_heard_again() -> None:
    group = gang_of(1)
    load(group)
    group.begin(LAUNCH)
    poll(group)
    group.workers[0].actor.mailbox.ended(FAILED)
    assert [r.failure for r in poll(group)] == [FAILED]
    found, _ = adopted(group)
    assert found.launch == LAUNCH
    assert [r.failure for r in poll(found)] == [FAILED]


def test_an_end_that_is_recorded_is_not_heard_again() -> None:
    group = gang_of(1)
    load(group)
    group.begin(LAUNCH)
    poll(group)
    group.workers[0].actor.mailbox.ended(FAILED)
    poll(group)
    group.workers[0].mark_delivered()
    group.workers[0].acknowledge()
    poll(group)
    found, _ = adopted(group)
    assert (found.launch, found.phase) == (None, GroupPhase.IDLE)


def test_a_rank_whose_end_was_recorded_apart_from_the_others_is_not_waited_for() -> None:
    group = gang_of(2)
    load(group)
    group.begin(LAUNCH)
    poll(group)
    group.workers[1].actor.mailbox.ended(None)
    poll(group)
    for m in group.workers:
        m.mark_delivered()
        m.acknowledge()
    poll(group)
    found, agree = adopted(group)
    assert agree
    group.workers[0].actor.mailbox.ended(None)
    assert poll(found) == [Report("a", 0, ended=True)]


def test_ranks_that_a_launch_reached_in_part_disagree() -> None:
    group = gang_of(2)
    load(group)
    group.workers[0].actor.mailbox.begin(LAUNCH)
    _, agree = adopted(group)
    assert not agree


def test_a_launch_that_is_over_is_forgotten_and_one_in_training_is_not() -> None:
    group = gang_of(1)
    load(group)
    group.begin(LAUNCH)
    poll(group)
    assert not group.forget()
    group.workers[0].actor.mailbox.ended(None)
    group.listen()
    found, _ = adopted(group)
    assert found.forget()
    assert found.launch is None


def test_limits_of_a_run_and_of_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    group = gang_of(1, run_s=50, silent_s=20, heartbeat_s=5)
    load(group)
    group.begin(LAUNCH)
    poll(group)
    assert group.trouble() is None
    start = time.monotonic()
    group.listen()
    monkeypatch.setattr(time, "monotonic", lambda: start + 6)
    assert "does not answer, for longer than engine.limits.heartbeat_s = 5 s" in words(group)
    monkeypatch.setattr(time, "monotonic", lambda: start + 21)
    group.take(set(group.awaited()))
    assert "no sign of progress for engine.limits.silent_s = 20 s" in words(group)
    group.workers[0].actor.mailbox.progress(3)
    poll(group)
    assert group.trouble() is None
    monkeypatch.setattr(time, "monotonic", lambda: start + 51)
    group.workers[0].actor.mailbox.progress(4)
    poll(group)
    assert "ran past engine.limits.run_s = 50 s" in words(group)
    assert group.state().step == 4


def test_ranks_may_stand_still_while_one_of_them_gets_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first rank evaluates for long; the others wait for it and give no sign."""
    group = gang_of(3, silent_s=20, heartbeat_s=1000)
    load(group)
    group.begin(LAUNCH)
    poll(group)
    start = time.monotonic()
    for after_s in (15, 30, 45):
        monkeypatch.setattr(time, "monotonic", lambda after_s=after_s: start + after_s)
        group.workers[0].actor.mailbox.progress()
        poll(group)
        assert group.trouble() is None
    monkeypatch.setattr(time, "monotonic", lambda: start + 70)
    poll(group)
    assert "no sign of progress for engine.limits.silent_s = 20 s" in words(group)


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
    group = gang_of(len(told))
    load(group)
    group.begin(LAUNCH)
    poll(group)
    for m, failure in zip(group.workers, told, strict=True):
        m.actor.mailbox.ended(failure)
    (end,) = poll(group)
    assert end.failure == noticed


def test_a_worker_that_never_starts_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    group = gang_of(1)
    group.listen()
    assert group.trouble() is None
    late = time.monotonic() + worker.START_S + 1
    monkeypatch.setattr(time, "monotonic", lambda: late)
    assert "did not start within" in words(group)


def words(group: Any) -> str:
    failure = group.trouble()
    assert failure is not None
    assert failure.boundary is Boundary.WORKER
    return str(failure.message)


def test_a_dismissed_gang_leaves_nothing_behind(no_ray: list[Any]) -> None:
    group = gang_of(2)
    group.dismiss()
    assert no_ray == [*(m.actor for m in group.workers), "group"]
