from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from paretoflow.core.errors import FencedError, LedgerError, ModelError
from paretoflow.core.status import Boundary, RunStatus
from paretoflow.core.values import Problem
from paretoflow.engine.backend import Failure, Launch, Report
from paretoflow.engine.driver import Driver
from paretoflow.engine.live import GangState
from paretoflow.engine.state import SweepState
from paretoflow.engine.surroundings import Surroundings
from paretoflow.ledger.memory import MemoryLedger, MemoryStore
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.proposers import build
from paretoflow.spec.sweep import SweepSpec
from tests.sim.specs import circle_spec
from tests.unit.engine.telling import CALIBRATED, PROBLEM, base, done, failed, scored

Answer = Callable[[Launch], list[Report]]


def _scores(launch: Launch) -> tuple[float, float]:
    number = 1 + int(launch.run_id[1:5])
    return 0.5 + number / 100, 5.0 + number / 10


def result(launch: Launch) -> list[Report]:
    """A run that goes well: one checkpoint, and the end after it."""
    events = (
        scored(launch.run_id, _scores(launch), attempt=launch.attempt),
        done(launch.run_id, launch.attempt),
    )
    told = Report(launch.run_id, launch.attempt, events)
    return [told, Report(launch.run_id, launch.attempt, ended=True)]


def crash(launch: Launch, *, retryable: bool = True) -> list[Report]:
    failure = Failure(Boundary.METHOD, "the loss is nan", retryable, "Traceback …")
    return [Report(launch.run_id, launch.attempt, ended=True, failure=failure)]


class ScriptedBackend:
    """Answers each launch by a script, and remembers what the ledger held when it was launched."""

    def __init__(self, store: MemoryStore, answer: Answer = result, *, workers: int = 2) -> None:
        self._ledger = MemoryLedger(store, writer=False)
        self._answer = answer
        self._workers = workers
        self._busy: list[Launch] = []
        self.prepared: list[Problem | None] = []
        self.launched: list[tuple[str, int]] = []
        self.known: list[list[str]] = []
        self.closed = 0
        self.left = 0
        self._time = 0.0

    def adopt(self, epoch: int) -> list[Launch]:
        return []

    def pause(self, seconds: float) -> None:
        self._time += seconds

    def drop(self, launch: Launch) -> None:
        self._busy.remove(launch)

    def gangs(self) -> Sequence[GangState]:
        return ()

    def leave(self) -> None:
        self.left += 1

    def prepare(self, problem: Problem | None) -> list[Event]:
        self.prepared.append(problem)
        return [] if problem else [CALIBRATED, base()]

    def now(self) -> float:
        self._time += 1.0
        return self._time

    def free(self) -> int:
        return self._workers - len(self._busy)

    def launch(self, launch: Launch) -> None:
        assert self.free() > 0
        self._busy.append(launch)
        self.launched.append((launch.run_id, launch.attempt))
        self.known.append([e.event_id for e in self._ledger.events()])

    def poll(self, timeout_s: float) -> list[Report]:
        if not self._busy:
            return []
        reports = self._answer(self._busy[0])
        if any(r.ended for r in reports):
            self._busy.pop(0)
        return reports

    def close(self) -> None:
        self.closed += 1


def driver_over(
    store: MemoryStore,
    backend: ScriptedBackend,
    spec: SweepSpec | None = None,
    watch: Callable[[SweepState, str], None] = lambda state, note: None,
    recovered: Sequence[Event] = (),
) -> Driver:
    spec = spec or circle_spec(stop={"runs": 4}, proposer={"type": "lattice"})
    proposer = build(spec.proposer, m=2, runs=spec.stop.runs)
    return Driver(
        spec, MemoryLedger(store), backend, proposer, Surroundings(watch, lambda: recovered)
    )


def told(store: MemoryStore, kind: EventKind) -> list[Event]:
    return [e for e in MemoryLedger(store, writer=False).events() if e.kind is kind]


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


def test_ctrl_c_puts_open_runs_down_and_the_second_run_goes_on() -> None:
    store = MemoryStore()
    answers = iter([result])

    def impatient(launch: Launch) -> list[Report]:
        for answer in answers:
            return answer(launch)
        raise KeyboardInterrupt

    backend = ScriptedBackend(store, impatient)
    with pytest.raises(KeyboardInterrupt):
        driver_over(store, backend).run()
    assert backend.closed == 1
    assert len(told(store, EventKind.STOPPED)) == 2
    assert told(store, EventKind.CLOSED)[0].message == "stopped by the user"
    second = ScriptedBackend(store)
    driver = driver_over(store, second)
    driver.run()
    put_down = {e.run_id for e in told(store, EventKind.STOPPED)}
    assert {run_id for run_id, attempt in second.launched if attempt == 1} == put_down
    assert driver.state.finished == 4
    ends = [e.run_id for e in told(store, EventKind.FINISHED)]
    assert len(ends) == len(set(ends)) == 4


class InterruptedLedger(MemoryLedger):
    """Ctrl-C comes between a commit and its answer, at the first end of a run."""

    waits = True

    def append(self, events: Sequence[Event]) -> list[Event]:
        added = super().append(events)
        if self.waits and any(e.kind is EventKind.FINISHED for e in added):
            self.waits = False
            raise KeyboardInterrupt
        return added


def test_ctrl_c_right_after_a_commit_does_not_stop_a_run_that_finished() -> None:
    store = MemoryStore()
    spec = circle_spec(stop={"runs": 4}, proposer={"type": "lattice"})
    proposer = build(spec.proposer, m=2, runs=4)
    driver = Driver(spec, InterruptedLedger(store), ScriptedBackend(store), proposer)
    with pytest.raises(KeyboardInterrupt):
        driver.run()
    (finished,) = told(store, EventKind.FINISHED)
    assert finished.run_id not in {e.run_id for e in told(store, EventKind.STOPPED)}
    again = driver_over(store, ScriptedBackend(store))
    again.run()
    assert again.state.finished == 4


def _left_running(store: MemoryStore) -> list[str]:
    """Leave a sweep as a killed driver does: two runs started, none ended; return their names."""

    class Killed(BaseException):
        pass

    def die(launch: Launch) -> list[Report]:
        raise Killed

    backend = ScriptedBackend(store, die)
    with pytest.raises(Killed):
        driver_over(store, backend).run()
    return [run_id for run_id, _ in backend.launched]


def test_a_run_that_finished_while_no_driver_lived_is_not_trained_again() -> None:
    store = MemoryStore()
    first, second = _left_running(store)
    backend = ScriptedBackend(store)
    driver = driver_over(store, backend, recovered=[scored(first, (0.9, 9.0)), done(first)])
    driver.run()
    assert first not in [run_id for run_id, _ in backend.launched]
    assert (second, 1) in backend.launched
    assert driver.state.finished == 4


def test_an_evaluation_from_a_fragment_counts_and_its_run_goes_on() -> None:
    store = MemoryStore()
    first, _ = _left_running(store)
    backend = ScriptedBackend(store)
    driver = driver_over(store, backend, recovered=[scored(first, (0.9, 9.0), step=1)])
    driver.run()
    assert (first, 1) in backend.launched
    assert f"{first}-a0-s0001" in [e.snapshot_id for e in driver.state.evaluations]


def test_the_end_of_a_run_that_was_given_up_counts_no_more() -> None:
    store = MemoryStore()
    driver_over(store, ScriptedBackend(store, crash)).run()
    given_up = told(store, EventKind.FAILED)[0].run_id
    again = driver_over(
        store,
        ScriptedBackend(store),
        recovered=[scored(given_up, (0.9, 2.0), attempt=1), done(given_up, 1)],
    )
    again.run()
    assert again.state.runs[given_up].status is RunStatus.FAILED
    assert given_up in {e.run_id for e in again.state.evaluations}


def test_fragments_of_runs_that_the_ledger_does_not_know_are_left_out() -> None:
    store = MemoryStore()
    driver = driver_over(
        store,
        ScriptedBackend(store),
        recovered=[scored("r0099-ffffff", (0.9, 2.0)), done("r0099-ffffff")],
    )
    driver.run()
    assert "r0099-ffffff" not in driver.state.runs
    assert driver.state.finished == 4


def test_what_cannot_be_set_up_closes_the_backend_and_tells_why() -> None:
    class NoModel(ScriptedBackend):
        def prepare(self, problem: Problem | None) -> list[Event]:
            raise ModelError("no weights", "models/x")

    store = MemoryStore()
    backend = NoModel(store)
    with pytest.raises(ModelError, match="no weights"):
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
    assert (backend.closed, backend.left) == (0, 1), "the gangs belong to the newer driver"
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
    with pytest.raises(LedgerError, match="never proposed"):
        driver_over(store, ScriptedBackend(store)).run()
