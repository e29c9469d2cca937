"""Combined answers of several workers, with workers that a test controls."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paretoflow.core.errors import FencedError, ModelError
from paretoflow.core.launch import Launch
from paretoflow.core.status import Boundary
from paretoflow.engine.groups.worker import WorkerLocation
from paretoflow.engine.groups.worker_group import GRACE_S, WorkerGroup
from paretoflow.engine.groups.worker_handle import START_S, GroupOptions, WorkerHandle
from paretoflow.engine.live import GroupPhase
from paretoflow.engine.messages import Cause, Failure, Report
from paretoflow.engine.runtime.poll import LoadResult, PollRequest
from paretoflow.spec.engine import LimitsSpec
from tests.unit.engine.groups.by_hand import HandTransport, worker_config
from tests.unit.engine.telling import CALIBRATED, PROBLEM, proposal

LAUNCH = Launch("a", 0, proposal())
FAILED = Failure(Boundary.METHOD, "broke", retryable=True)
FULL = Failure(Boundary.WORKER, "full", retryable=True, cause=Cause.OUT_OF_MEMORY)
BROKEN = Failure(Boundary.WORKER, "the connection broke", True, "", Cause.OUTAGE, "it broke")
NO_SPACE = Failure(Boundary.STORE, "no space left", True, "", Cause.OUTAGE, "no space left")
ANOTHER = Failure(Boundary.WORKER, "another rank of the worker group failed", retryable=True)


@pytest.fixture
def at() -> HandTransport:
    return HandTransport()


def group_of(
    at: HandTransport, ranks: int, *, sharded: bool = False, **limits: float
) -> WorkerGroup:
    options = GroupOptions(at, 1, LimitsSpec(**limits), 0.0, ranks == 1, sharded)
    placement = at.place("group", one_node=True)
    workers = [
        WorkerHandle(at.start(f"group-{rank}", worker_config(rank, ranks), placement), options)
        for rank in range(ranks)
    ]
    group = WorkerGroup(0, workers, placement)
    group.ask_locations()
    return group


def poll(group: WorkerGroup) -> list[Report]:
    """Let every rank answer what it was asked."""
    group.listen()
    return group.take(set(group.awaited()))


def load(group: WorkerGroup) -> None:
    poll(group)
    group.load(PROBLEM)
    poll(group)
    for m in group.workers:
        m.actor.mailbox.loaded(LoadResult())
    poll(group)


def busy(at: HandTransport, ranks: int, **limits: float) -> WorkerGroup:
    """Return a loaded group that trains."""
    group = group_of(at, ranks, **limits)
    load(group)
    group.begin(LAUNCH)
    poll(group)
    return group


@pytest.mark.parametrize(("sharded", "told"), [(False, [1, 0]), (True, [1, 1])])
def test_ranks_that_hold_the_base_together_prepare_together(
    sharded: bool, told: list[int], at: HandTransport
) -> None:
    group = group_of(at, 2, sharded=sharded)
    poll(group)
    group.load(None)
    poll(group)
    assert [len(m.actor.jobs) for m in group.workers] == told


def test_ranks_that_train_together_meet_before_they_load(at: HandTransport) -> None:
    group = group_of(at, 2)
    group.load(PROBLEM)
    assert group.workers[0].actor.jobs == []
    poll(group)
    group.load(PROBLEM)
    poll(group)
    assert [m.actor.meetings for m in group.workers] == [[("10.0.0.0", 1234)]] * 2
    assert [len(m.actor.jobs) for m in group.workers] == [1, 1]
    assert group.phase is GroupPhase.LOADING
    for m in group.workers:
        m.actor.mailbox.loaded(LoadResult())
    poll(group)
    assert group.phase is GroupPhase.IDLE
    assert group.nodes == {"node0", "node1"}
    assert group.state().where == ("10.0.0.0", "10.0.0.1")


def test_the_first_rank_does_the_shared_stage_alone(at: HandTransport) -> None:
    group = group_of(at, 2)
    poll(group)
    group.load(None)
    poll(group)
    assert [len(m.actor.jobs) for m in group.workers] == [1, 0]
    group.workers[0].actor.mailbox.loaded(LoadResult((CALIBRATED,)))
    poll(group)
    assert group.calibrated == (CALIBRATED,)
    assert group.phase is GroupPhase.LOADING
    group.load(PROBLEM)
    poll(group)
    assert [len(m.actor.jobs) for m in group.workers] == [1, 1]


def test_the_first_rank_alone_is_asked_to_pause_a_run(at: HandTransport) -> None:
    group = busy(at, 2)
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


def test_a_launch_is_over_when_every_rank_has_ended_it(at: HandTransport) -> None:
    group = group_of(at, 2)
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


def test_of_several_failures_the_one_that_tells_most_counts(at: HandTransport) -> None:
    group = busy(at, 2)
    group.workers[0].actor.mailbox.ended(FAILED)
    group.workers[1].actor.mailbox.ended(FULL)
    (report,) = poll(group)
    assert report.failure == FULL


def test_a_rank_that_waits_for_a_failed_one_is_not_waited_for_long(at: HandTransport) -> None:
    group = busy(at, 2)
    group.workers[1].actor.mailbox.ended(FAILED)
    assert poll(group) == []
    at.now_s += GRACE_S + 1
    (report,) = poll(group)
    assert report.failure == FAILED


def test_a_group_whose_rank_is_told_to_leave_takes_no_launch_any_more(at: HandTransport) -> None:
    group = group_of(at, 2)
    load(group)
    group.workers[1].actor.mailbox.drain("its node goes")
    poll(group)
    assert (group.phase, group.state().reason) == (GroupPhase.LEAVING, "its node goes")


def test_a_run_put_down_for_one_rank_says_why_whichever_rank_tells_first(at: HandTransport) -> None:
    group = busy(at, 2)
    first, second = (m.actor.mailbox for m in group.workers)
    second.drain("its node goes")
    stopped = Failure(Boundary.WORKER, "stopped after step 2", retryable=True, cause=Cause.LOST)
    first.ended(stopped)
    second.ended(stopped)
    (report,) = poll(group)
    assert report.failure is not None
    assert report.failure.message == "its node goes: stopped after step 2"


def test_why_a_group_could_not_load_is_kept(at: HandTransport) -> None:
    group = group_of(at, 1)
    poll(group)
    group.load(PROBLEM)
    poll(group)
    group.workers[0].actor.mailbox.loaded(LoadResult(error=ModelError("no weights")))
    poll(group)
    assert isinstance(group.error, ModelError)
    group.load(PROBLEM)  # it is replaced, not asked again
    assert len(group.workers[0].actor.jobs) == 1


def adopted(group: WorkerGroup) -> tuple[WorkerGroup, bool]:
    """Return the worker group as a newer driver finds it, and whether its ranks agree."""
    options = replace(group.workers[0].options, epoch=2, limits=LimitsSpec())
    workers = [WorkerHandle(m.actor, options) for m in group.workers]
    found = WorkerGroup(0, workers, "group")
    place = WorkerLocation("node", "10.0.0.9", 1)
    call = PollRequest(2, -1, -1, 0.0, 100.0)
    agree = found.adopt([(m.actor.mailbox.poll(call), place) for m in group.workers])
    return found, agree


def test_a_new_driver_finds_a_group_at_work_and_hears_the_end(at: HandTransport) -> None:
    group = busy(at, 2)
    found, agree = adopted(group)
    assert agree
    assert (found.launch, found.phase) == (LAUNCH, GroupPhase.BUSY)
    for m in group.workers:
        m.actor.mailbox.ended(None)
    assert poll(found) == [Report("a", 0, ended=True)]
    with pytest.raises(FencedError):
        poll(group)


def test_an_end_that_no_driver_recorded_is_heard_again(at: HandTransport) -> None:
    group = busy(at, 1)
    group.workers[0].actor.mailbox.ended(FAILED)
    assert [r.failure for r in poll(group)] == [FAILED]
    found, _ = adopted(group)
    assert found.launch == LAUNCH
    assert [r.failure for r in poll(found)] == [FAILED]


def test_the_end_of_an_earlier_launch_does_not_end_the_present_one(at: HandTransport) -> None:
    """The first driver died after it had sent the second launch, before it acknowledged the end."""
    group = busy(at, 1)
    group.workers[0].actor.mailbox.ended(FAILED)
    poll(group)
    second = replace(LAUNCH, run_id="b")
    group.begin(second)
    group.take(set(group.awaited()))
    found, agree = adopted(group)
    assert agree
    assert (found.launch, found.phase) == (second, GroupPhase.BUSY)
    assert poll(found) == []
    group.workers[0].actor.mailbox.ended(None)
    assert poll(found) == [Report("b", 0, ended=True)]


def test_an_end_that_is_recorded_is_not_heard_again(at: HandTransport) -> None:
    group = busy(at, 1)
    group.workers[0].actor.mailbox.ended(FAILED)
    poll(group)
    group.workers[0].mark_delivered()
    group.workers[0].acknowledge()
    poll(group)
    found, _ = adopted(group)
    assert (found.launch, found.phase) == (None, GroupPhase.IDLE)


def test_a_rank_whose_end_was_recorded_apart_is_not_waited_for(
    at: HandTransport,
) -> None:
    group = busy(at, 2)
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


def test_ranks_that_a_launch_reached_in_part_disagree(at: HandTransport) -> None:
    group = group_of(at, 2)
    load(group)
    group.workers[0].actor.mailbox.begin(LAUNCH)
    _, agree = adopted(group)
    assert not agree


def test_a_launch_that_is_over_is_forgotten_and_one_in_training_is_not(at: HandTransport) -> None:
    group = busy(at, 1)
    assert not group.forget()
    group.workers[0].actor.mailbox.ended(None)
    group.listen()
    found, _ = adopted(group)
    assert found.forget()
    assert found.launch is None


def test_the_failure_of_one_rank_is_not_forgotten_before_the_other_has_ended(
    at: HandTransport,
) -> None:
    """The driver dies in between: the next one hears why the attempt failed."""
    group = busy(at, 2)
    group.workers[0].actor.mailbox.ended(FULL)
    assert poll(group) == []
    group.mark_delivered()
    for m in group.workers:
        m.acknowledge()
    poll(group)
    found, agree = adopted(group)
    assert agree
    group.workers[1].actor.mailbox.ended(BROKEN)
    assert poll(found) == [Report("a", 0, ended=True, failure=FULL)]


def test_limits_of_a_run_and_of_silence(at: HandTransport) -> None:
    group = busy(at, 1, run_s=50, silent_s=20, heartbeat_s=5)
    assert group.trouble() is None
    start_s = at.now_s
    group.listen()
    at.now_s = start_s + 6
    assert "does not answer, for longer than engine.limits.heartbeat_s = 5 s" in words(group)
    at.now_s = start_s + 21
    group.take(set(group.awaited()))
    assert "no sign of progress for engine.limits.silent_s = 20 s" in words(group)
    group.workers[0].actor.mailbox.progress(3)
    poll(group)
    assert group.trouble() is None
    at.now_s = start_s + 51
    group.workers[0].actor.mailbox.progress(4)
    poll(group)
    assert "ran past engine.limits.run_s = 50 s" in words(group)
    assert group.state().step == 4


@pytest.mark.parametrize("command", ["begin", "suspend", "drain"])
def test_a_worker_that_answers_polls_but_not_a_command_is_given_up(
    at: HandTransport, command: str
) -> None:
    """A command that never arrives is never done, and the driver would wait for it forever."""
    group = busy(at, 1, heartbeat_s=5)
    {
        "begin": lambda: group.begin(replace(LAUNCH, attempt=1)),
        "suspend": lambda: group.suspend(("a", 0), "two are ahead"),
        "drain": lambda: group.drain("the node goes"),
    }[command]()
    (lost,) = group.awaited()
    for _ in range(2):
        assert group.trouble() is None
        at.now_s += 3
        group.listen()
        group.take({*group.awaited()} - {lost})
    assert "does not answer, for longer than engine.limits.heartbeat_s = 5 s" in words(group)


def test_calls_that_a_worker_was_sent_while_it_started_have_time_from_its_start_on(
    at: HandTransport,
) -> None:
    group = group_of(at, 1, heartbeat_s=5)
    early = set(group.awaited())
    at.now_s += 100
    assert group.trouble() is None
    group.listen()
    group.take({*group.awaited()} - early)
    assert group.trouble() is None
    at.now_s += 6
    assert "does not answer" in words(group)
    group.take(early)
    group.listen()
    poll(group)
    assert group.trouble() is None


def test_ranks_may_stand_still_while_one_of_them_gets_on(at: HandTransport) -> None:
    """The first rank evaluates for long; the others wait for it and give no sign."""
    group = busy(at, 3, silent_s=20, heartbeat_s=1000)
    start_s = at.now_s
    for after_s in (15, 30, 45):
        at.now_s = start_s + after_s
        group.workers[0].actor.mailbox.progress()
        poll(group)
        assert group.trouble() is None
    at.now_s = start_s + 70
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
    at: HandTransport, told: tuple[Failure, ...], noticed: Failure
) -> None:
    group = busy(at, len(told))
    for m, failure in zip(group.workers, told, strict=True):
        m.actor.mailbox.ended(failure)
    (end,) = poll(group)
    assert end.failure == noticed


def test_a_worker_that_never_starts_is_given_up(at: HandTransport) -> None:
    group = group_of(at, 1)
    group.listen()
    assert group.trouble() is None
    at.now_s += START_S + 1
    assert "did not start within" in words(group)


def words(group: WorkerGroup) -> str:
    failure = group.trouble()
    assert failure is not None
    assert failure.boundary is Boundary.WORKER
    return str(failure.message)


def test_a_dismissed_group_leaves_nothing_behind(at: HandTransport) -> None:
    group = group_of(at, 2)
    group.dismiss()
    # resources last would stay if the driver died in between: no worker could release them
    assert at.ended == ["group", *(m.actor for m in group.workers)]
