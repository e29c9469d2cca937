from __future__ import annotations

from collections import Counter

import pytest

from paretoflow.core.errors import FencedError, ModelError
from paretoflow.core.launch import Launch
from paretoflow.core.status import RunStatus
from paretoflow.core.values import Problem
from paretoflow.engine.messages import Report
from paretoflow.ledger.memory import MemoryLedger, MemoryStore
from paretoflow.ledger.tables import Event, EventKind
from tests.faults import raises
from tests.sim.specs import circle_spec
from tests.unit.engine.scripted import ScriptedBackend, crash, driver_over, result, told
from tests.unit.engine.telling import PROBLEM, failed


def test_a_sweep_runs_to_the_end_of_its_budget() -> None:
    store = MemoryStore()
    backend = ScriptedBackend(store)
    assert driver_over(store, backend).run() == "all 4 runs are launched"
    kinds = Counter(e.kind.value for e in store.events)
    assert kinds == {
        "opened": 1,
        "calibrated": 1,
        "proposed": 4,
        "started": 4,
        "evaluated": 5,
        "finished": 4,
        "closed": 1,
    }
    assert backend.closed == 1
    assert store.events[-1].message == "all 4 runs are launched"


def test_every_decision_is_in_the_ledger_before_it_is_acted_on() -> None:
    store = MemoryStore()
    backend = ScriptedBackend(store)
    driver_over(store, backend).run()
    for (run_id, attempt), known in zip(backend.launched, backend.known, strict=True):
        assert f"proposed:{run_id}" in known
        assert f"started:{run_id}:{attempt}" in known


def test_an_end_without_a_result_is_a_failure_of_the_worker() -> None:
    store = MemoryStore()
    backend = ScriptedBackend(store, lambda x: [Report(x.run_id, x.attempt, ended=True)])
    spec = circle_spec(stop={"runs": 2}, engine={"retries": 2})
    driver_over(store, backend, spec).run()
    failures = told(store, EventKind.FAILED)
    assert {e.boundary for e in failures} == {"worker"}
    assert {e.message for e in failures} == {"the attempt ended without a result"}
    assert sorted(e.attempt for e in failures) == [0, 0, 1, 1, 2, 2]
    assert [e.payload["final"] for e in sorted(failures, key=lambda e: e.attempt)] == [
        *([False] * 4),
        *([True] * 2),
    ]


def test_a_failure_that_no_retry_mends_is_final_at_once() -> None:
    store = MemoryStore()
    backend = ScriptedBackend(store, lambda x: crash(x, retryable=False))
    driver_over(store, backend).run()
    failures = told(store, EventKind.FAILED)
    assert len(failures) == 4
    assert all(
        e.payload == {"final": True, "retryable": False, "cause": "error", "details": "Traceback …"}
        for e in failures
    )


def test_a_retry_starts_before_a_new_run() -> None:
    store = MemoryStore()
    backend = ScriptedBackend(store, lambda x: result(x) if x.attempt else crash(x), workers=1)
    driver_over(store, backend).run()
    attempts = [attempt for _, attempt in backend.launched]
    assert attempts == [0, 1] * 4
    assert len(told(store, EventKind.FINISHED)) == 4


def test_a_worker_that_dies_after_its_result_was_told_has_finished() -> None:
    store = MemoryStore()
    backend = ScriptedBackend(store, lambda x: [result(x)[0], *crash(x)])
    driver_over(store, backend).run()
    assert told(store, EventKind.FAILED) == []
    assert len(told(store, EventKind.FINISHED)) == 4


def test_one_failed_run_leaves_its_siblings_alone() -> None:
    store = MemoryStore()

    def answer(launch: Launch) -> list[Report]:
        return crash(launch) if launch.run_id.startswith("r0001") else result(launch)

    driver = driver_over(store, ScriptedBackend(store, answer))
    driver.run()
    statuses = [r.status for r in driver.state.runs.values()]
    assert statuses.count(RunStatus.FINISHED) == 3
    assert statuses[1] is RunStatus.FAILED


def test_every_front_is_recorded_with_its_interval() -> None:
    store = MemoryStore()
    driver = driver_over(store, ScriptedBackend(store))
    driver.run()
    fronts = MemoryLedger(store, writer=False).fronts()
    # the base, then each of the four runs widened it
    assert [f.number for f in fronts] == [0, 1, 2, 3, 4]
    assert [f.runs_finished for f in fronts] == [0, 1, 2, 3, 4]
    assert [len(f.snapshot_ids) for f in fronts] == [1, 2, 3, 4, 5]
    for front in fronts:
        assert 0 < front.hypervolume_low < front.hypervolume_high
        assert front.ref_scores == tuple(PROBLEM.ref_scores)
    volumes = [f.hypervolume for f in fronts]
    assert volumes == sorted(volumes)
    assert volumes[-1] == driver.state.hypervolume


def test_a_front_that_a_kill_left_out_is_recorded_later() -> None:
    store = MemoryStore()
    driver_over(store, ScriptedBackend(store)).run()
    lost = store.fronts.pop(max(store.fronts))
    spec = circle_spec(stop={"runs": 4}, proposer={"type": "lattice"})
    driver_over(store, ScriptedBackend(store), spec).run()
    again = store.fronts[max(store.fronts)]
    assert again.number == lost.number
    assert again.snapshot_ids == lost.snapshot_ids


def test_going_on_where_nothing_changed_records_no_front_again() -> None:
    store = MemoryStore()
    driver_over(store, ScriptedBackend(store)).run()
    before = dict(store.fronts)
    backend = ScriptedBackend(store)
    driver_over(store, backend).run()
    assert store.fronts == before
    assert backend.launched == []
    assert backend.prepared == [PROBLEM]


def test_what_cannot_be_set_up_closes_the_backend_and_tells_why() -> None:
    class NoModel(ScriptedBackend):
        def prepare(self, problem: Problem | None) -> list[Event]:
            raise ModelError("no weights", "models/x")

    store = MemoryStore()
    backend = NoModel(store)
    with raises("model", "no weights"):
        driver_over(store, backend).run()
    assert backend.closed == 1
    assert [e.kind for e in store.events] == [EventKind.OPENED]


def test_a_fenced_driver_launches_nothing_more() -> None:
    store = MemoryStore()

    def overtaken(launch: Launch) -> list[Report]:
        MemoryLedger(store)  # a second driver opens the sweep
        return result(launch)

    backend = ScriptedBackend(store, overtaken)
    with pytest.raises(FencedError):
        driver_over(store, backend).run()
    assert len(backend.launched) == 2
    assert (backend.closed, backend.left) == (0, 1), "the worker groups belong to the newer driver"
    assert told(store, EventKind.FINISHED) == []


def test_a_replay_of_reports_adds_nothing() -> None:
    store = MemoryStore()
    backend = ScriptedBackend(store, lambda x: [*result(x), result(x)[0]])
    driver = driver_over(store, backend)
    driver.run()
    assert driver.state.finished == 4
    assert len(told(store, EventKind.EVALUATED)) == 5


def test_whoever_watches_sees_the_stages_and_every_state() -> None:
    store = MemoryStore()
    seen: list[tuple[int, str]] = []
    driver_over(
        store, ScriptedBackend(store), watch=lambda state, note: seen.append((state.finished, note))
    ).run()
    notes = [note for _, note in seen if note]
    assert notes == ["preparing base, prompts and candidate answers"]
    assert [count for count, _ in seen] == sorted(count for count, _ in seen)
    assert seen[-1] == (4, "")
    later: list[str] = []
    driver_over(store, ScriptedBackend(store), watch=lambda s, note: later.append(note)).run()
    assert "loading" in later


def test_a_ledger_that_no_run_could_have_written_is_refused() -> None:
    store = MemoryStore()
    MemoryLedger(store).append([failed("r0000-000000", final=True)])
    with raises("ledger-inconsistent", "never proposed"):
        driver_over(store, ScriptedBackend(store)).run()
