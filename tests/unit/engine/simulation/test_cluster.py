"""What worker groups in virtual time do, and their limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from paretoflow.core.launch import Launch
from paretoflow.engine.live import GroupPhase
from paretoflow.engine.messages import Report
from paretoflow.engine.simulation.backend import SimulatedBackend, SimulatedCluster
from paretoflow.engine.simulation.fault_model import SavedProgress
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.spec.engine import EngineSpec
from tests.unit.engine.simulation.test_backend import Fixed
from tests.unit.engine.telling import PROBLEM, proposal

TWO = [(10.0, [0.5, 5]), (10.0, [0.6, 4])]


def cluster(answer: Any = TWO) -> SimulatedCluster:
    return SimulatedCluster(Fixed(answer), PROBLEM, EngineSpec(worker_groups=2), seed=1)


def launch(run_id: str = "a", attempt: int = 0) -> Launch:
    return Launch(run_id, attempt, proposal())


def ids(events: Sequence[Event]) -> list[str]:
    return [e.event_id for e in events]


def until_ended(backend: SimulatedBackend) -> list[Report]:
    reports: list[Report] = []
    while not any(r.ended for r in reports):
        reports += backend.poll(0.5)
    return reports


def test_run_s_ends_an_attempt() -> None:
    engine = EngineSpec.model_validate({"worker_groups": 1, "limits": {"run_s": 15.0}})
    shared = SimulatedCluster(Fixed(TWO), PROBLEM, engine, seed=1)
    backend = SimulatedBackend(shared)
    backend.launch(launch())
    *_, end = until_ended(backend)
    assert end.failure is not None
    assert "run_s" in end.failure.message
    assert (backend.now(), ids(end.events)) == (15.0, ["evaluated:a:0:1"])


def test_a_crashed_run_goes_on_from_its_last_checkpoint() -> None:
    shared = cluster()
    shared.storage.save("a", SavedProgress(1))
    backend = SimulatedBackend(shared)
    backend.launch(launch("a", 1))
    (report,) = until_ended(backend)
    assert ids(report.events) == ["evaluated:a:1:2", "finished:a"]
    assert backend.now() == 10.0


def test_a_paused_attempt_saves_where_it_is_is_charged_and_frees_its_group() -> None:
    shared = cluster([(10.0, [0.5, 5])] * 3)
    backend = SimulatedBackend(shared)
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


def test_groups_show_what_they_do() -> None:
    shared = cluster()
    backend = SimulatedBackend(shared)
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
