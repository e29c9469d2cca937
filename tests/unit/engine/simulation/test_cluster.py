"""A cluster that outlives its drivers, and failures of its worker groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from paretoflow.core.errors import FencedError
from paretoflow.core.launch import Launch
from paretoflow.engine.live import GroupPhase
from paretoflow.engine.messages import Cause, Report
from paretoflow.engine.simulation.backend import FaultModel, SimulatedBackend, SimulatedCluster
from paretoflow.engine.simulation.fault_model import SavedProgress
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.spec.engine import EngineSpec
from tests.faults import raises
from tests.unit.engine.simulation.test_backend import Fixed
from tests.unit.engine.telling import PROBLEM, proposal

TWO = [(10.0, [0.5, 5]), (10.0, [0.6, 4])]
LIMITS = {"silent_s": 40.0, "orphan_s": 100.0}


def cluster(answer: Any = TWO, *, groups: int = 2, **faults: Any) -> SimulatedCluster:
    engine = EngineSpec.model_validate({"worker_groups": groups, "limits": LIMITS})
    return SimulatedCluster(Fixed(answer), PROBLEM, engine, seed=1, faults=FaultModel(**faults))


def driver(of: SimulatedCluster, epoch: int = 0) -> tuple[SimulatedBackend, list[Launch]]:
    backend = SimulatedBackend(of)
    return backend, backend.adopt(epoch)


def launch(run_id: str = "a", attempt: int = 0, factor: int = 1) -> Launch:
    return Launch(run_id, attempt, proposal(), accumulation_factor=factor)


def ids(events: Sequence[Event]) -> list[str]:
    return [e.event_id for e in events]


def until_ended(backend: SimulatedBackend, times: int = 1) -> list[Report]:
    reports: list[Report] = []
    while sum(r.ended for r in reports) < times:
        reports += backend.poll(0.5)
    return reports


def test_gangs_go_on_without_a_driver_and_the_next_one_finds_all_of_it() -> None:
    shared = cluster()
    first, _ = driver(shared)
    first.launch(launch("a"))
    first.poll(0.5)
    first.launch(launch("b"))
    shared.pass_time(15.0)
    second, adopted = driver(shared, 1)
    assert [x.run_id for x in adopted] == ["b"], "a has ended meanwhile"
    assert second.free() == 1
    assert ids(shared.storage.beyond({"evaluated:a:0:1"})) == [
        "evaluated:a:0:2",
        "finished:a",
        "evaluated:b:0:1",
    ]
    (report,) = second.poll(0.5)
    assert (ids(report.events), second.now()) == (["evaluated:b:0:2", "finished:b"], 30.0)


def test_an_older_driver_is_refused() -> None:
    shared = cluster()
    old, _ = driver(shared, 3)
    new, _ = driver(shared, 4)
    new.launch(launch("a"))
    with raises("fenced", "epoch 4", "3"):
        old.launch(launch("b"))
    with pytest.raises(FencedError):
        old.poll(0.5)
    with pytest.raises(FencedError):
        old.drop(launch("a"))
    with pytest.raises(FencedError):
        old.adopt(3)
    old.close()
    assert new.free() == 1, "the newer driver's worker groups are left alone"


def test_gangs_that_hear_nobody_for_too_long_save_and_go() -> None:
    shared = cluster([(90.0, [0.5, 5]), (90.0, [0.6, 4])])
    backend, _ = driver(shared)
    backend.launch(launch())
    shared.pass_time(1000.0)
    assert ids(list(shared.storage)) == ["evaluated:a:0:1"]
    assert shared.storage.saved("a") == SavedProgress(1, pytest.approx(10 / 90))
    later, adopted = driver(shared, 1)
    assert (adopted, later.free()) == ([], 2)
    later.launch(launch("a", 1))
    (report,) = until_ended(later)
    assert ids(report.events) == ["evaluated:a:1:2", "finished:a"]
    assert report.events[0].wall_s == pytest.approx(80.0)


def test_a_machine_taken_back_costs_only_what_is_left() -> None:
    shared = cluster(preempt=1.0)
    backend, _ = driver(shared)
    spent, attempt, last = 0.0, 0, None
    while last is None or last.failure is not None:
        before = backend.now()
        backend.launch(launch("a", attempt))
        last = until_ended(backend)[-1]
        assert last.failure is None or last.failure.cause is Cause.LOST
        spent, attempt = spent + backend.now() - before, attempt + 1
        if attempt == 30:
            break
    # nothing is trained twice: however often it is taken back, the sum is that of one run
    assert spent <= 20.0 + 1e-9
    assert attempt > 1


def test_a_lost_node_takes_all_its_gangs_and_nobody_elses() -> None:
    shared = cluster(groups=4, node_loss=1.0, groups_per_node=2, noticed_s=3.0)
    backend, _ = driver(shared)
    backend.launch(launch("a"))
    backend.launch(launch("b"))
    reports = [r for r in until_ended(backend, 2) if r.ended]
    assert {r.run_id for r in reports} == {"a", "b"}
    assert {r.failure.cause for r in reports if r.failure} == {Cause.LOST}
    assert backend.free() == 4
    backend.launch(launch("c", 7))
    assert [r.run_id for r in until_ended(backend) if r.ended] == ["c"]


def test_smaller_batches_run_out_of_memory_less_often() -> None:
    def failures(factor: int) -> int:
        shared = cluster(out_of_memory=1.0)
        backend, _ = driver(shared)
        count = 0
        for i in range(40):
            backend.launch(launch(f"r{i}", 0, factor))
            failure = until_ended(backend)[-1].failure
            assert failure is None or failure.cause is Cause.OUT_OF_MEMORY
            count += failure is not None
        return count

    assert failures(1) == 40
    assert failures(2) in range(8, 33)
    assert failures(8) < 16


def test_a_silent_gang_is_waited_for_or_given_up_and_may_come_to_life_too_late() -> None:
    seen = set()
    for i in range(20):
        shared = cluster(hang=1.0)
        backend, _ = driver(shared)
        backend.launch(launch(f"r{i}"))
        end = until_ended(backend)[-1]
        if end.failure is None:
            assert 20.0 + 20.0 <= backend.now() < 20.0 + 40.0
            seen.add("waited for")
            continue
        assert "fell silent" in end.failure.message
        assert backend.free() == 2
        late = [e for _ in range(4) for r in backend.poll(100.0) for e in r.events]
        assert f"finished:r{i}" in ids(late)
        assert backend.free() == 2, "its worker group works on other runs since"
        seen.add("given up")
    assert seen == {"waited for", "given up"}


def test_a_gang_that_hangs_while_nobody_looks_is_given_up_by_the_next_driver() -> None:
    seen = False
    for i in range(20):
        shared = cluster([(500.0, [0.5, 5])], hang=1.0)
        backend, _ = driver(shared)
        backend.launch(launch(f"r{i}"))
        shared.pass_time(99.0)
        if not any(a.stuck for a in shared._busy()):
            continue
        seen = True
        later, adopted = driver(shared, 1)
        assert len(adopted) == 1
        report = until_ended(later)[-1]
        assert report.failure is not None or report.events
        assert later.now() <= 99.0 + 40.0
    assert seen


def test_run_s_ends_an_attempt() -> None:
    engine = EngineSpec.model_validate({"worker_groups": 1, "limits": {"run_s": 15.0}})
    shared = SimulatedCluster(Fixed(TWO), PROBLEM, engine, seed=1)
    backend, _ = driver(shared)
    backend.launch(launch())
    *_, end = until_ended(backend)
    assert end.failure is not None
    assert "run_s" in end.failure.message
    assert (backend.now(), ids(end.events)) == (15.0, ["evaluated:a:0:1"])


def test_reports_may_come_twice_and_late_but_free_their_gang_once() -> None:
    shared = cluster(duplicate=1.0, delay=0.5, delay_s=30.0)
    backend, _ = driver(shared)
    backend.launch(launch())
    reports = until_ended(backend)
    assert backend.free() == 2
    backend.launch(launch("b"))
    for _ in range(30):
        reports += backend.poll(0.5)
    told = [name for r in reports if r.run_id == "a" for name in ids(r.events)]
    assert sorted(told) == sorted(2 * ["evaluated:a:0:1", "evaluated:a:0:2", "finished:a"])
    assert backend.free() == 2
    for row in shared.storage:
        assert row.time_s <= backend.now()


def test_a_crashed_run_goes_on_from_its_last_checkpoint() -> None:
    shared = cluster()
    shared.storage.save("a", SavedProgress(1))
    backend, _ = driver(shared)
    backend.launch(launch("a", 1))
    (report,) = until_ended(backend)
    assert ids(report.events) == ["evaluated:a:1:2", "finished:a"]
    assert backend.now() == 10.0


def test_dropped_attempts_tell_nothing_more() -> None:
    shared = cluster()
    backend, _ = driver(shared)
    backend.launch(launch("a"))
    backend.launch(launch("b"))
    backend.drop(launch("a"))
    assert backend.free() == 1
    assert {r.run_id for r in until_ended(backend)} == {"b"}
    backend.drop(launch("a"))
    assert backend.free() == 2


def test_a_paused_attempt_saves_where_it_is_is_charged_and_frees_its_gang() -> None:
    shared = cluster([(10.0, [0.5, 5])] * 3)
    backend, _ = driver(shared)
    backend.launch(launch())
    assert not backend.poll(0.5)[0].ended
    shared.advance(5.0)
    backend.suspend("a", 1, "another attempt")
    backend.suspend("a", 0, "two are ahead")
    (report,) = until_ended(backend)
    (row,) = report.events
    assert (row.kind, row.step, row.wall_s, row.message) == ("paused", 1, 5.0, "two are ahead")
    assert (report.failure, shared.storage.saved("a")) == (None, SavedProgress(1, 0.5))
    assert backend.free() == 2
    backend.launch(launch(attempt=1))
    assert [e.step for r in until_ended(backend) for e in r.events] == [2, 3, 0]


def test_closing_saves_where_everybody_is() -> None:
    shared = cluster()
    backend, _ = driver(shared)
    backend.launch(launch())
    backend.pause(14.0)
    backend.close()
    backend.close()
    assert shared.storage.saved("a") == SavedProgress(1, pytest.approx(0.4))
    assert backend.free() == 2


def test_gangs_show_what_they_do() -> None:
    shared = cluster()
    backend, _ = driver(shared)
    backend.launch(launch("a", 3))
    busy, idle = backend.groups()
    assert (busy.phase, busy.run_id, busy.attempt) == (GroupPhase.BUSY, "a", 3)
    assert (idle.phase, idle.since_s) == (GroupPhase.IDLE, 0.0)
    until_ended(backend)
    assert backend.groups()[0].since_s == 20.0


def test_what_is_written_first_stays() -> None:
    shared = cluster()
    first = Event("evaluated:a:0:1", EventKind.EVALUATED, 1.0, run_id="a")
    shared.storage.write([first])
    shared.storage.write([Event("evaluated:a:0:1", EventKind.EVALUATED, 2.0, run_id="a")])
    assert shared.storage.of_run("a") == [first]
    shared.storage.save("a", SavedProgress(2, 0.5))
    shared.storage.save("a", SavedProgress(2, 0.1))
    assert shared.storage.saved("a") == SavedProgress(2, 0.5)
