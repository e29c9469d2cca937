"""A driver among others: groups that it finds, orders to stop, storage that is away, causes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from paretoflow.core.errors import FencedError, LedgerError, StorageError
from paretoflow.core.launch import Launch
from paretoflow.core.retry import OUTAGE_S, RETRY_S
from paretoflow.core.status import Boundary
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.loop.hooks import Hooks
from paretoflow.engine.messages import Cause, Failure, Report
from paretoflow.ledger.memory import MemoryLedger, MemoryStore
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.proposers import build
from paretoflow.spec.sweep import SweepSpec
from tests.faults import raises
from tests.sim.specs import circle_spec
from tests.unit.engine.scripted import ScriptedBackend, driver_over, result, told
from tests.unit.engine.telling import done, scored

LATTICE = {"type": "lattice"}


class Killed(BaseException):
    """The driver's process ends."""


class FoundBackend(ScriptedBackend):
    """Finds worker groups at work when its driver comes, as a cluster does after a kill."""

    def __init__(self, store: MemoryStore, found: Sequence[Launch]) -> None:
        super().__init__(store)
        self._found = list(found)
        self.dropped: list[Launch] = []
        self.epochs: list[int] = []

    def adopt(self, epoch: int) -> list[Launch]:
        self.epochs.append(epoch)
        self._busy.extend(self._found)
        return list(self._found)

    def drop(self, launch: Launch) -> None:
        super().drop(launch)
        self.dropped.append(launch)


def _killed_at_work(store: MemoryStore) -> list[Launch]:
    """Leave two runs in training; return their launches."""
    launches: list[Launch] = []

    class Remembering(ScriptedBackend):
        def launch(self, launch: Launch) -> None:
            super().launch(launch)
            launches.append(launch)

        def poll(self, timeout_s: float) -> list[Report]:
            raise Killed

    backend = Remembering(store)
    with pytest.raises(Killed):
        driver_over(store, backend).run()
    assert (backend.closed, backend.left) == (0, 1)
    return launches


def test_attempts_still_in_training_are_adopted_and_not_started_again() -> None:
    store = MemoryStore()
    found = _killed_at_work(store)
    backend = FoundBackend(store, found)
    driver = driver_over(store, backend)
    driver.run()
    assert backend.epochs == [1]
    assert {e.run_id for e in told(store, EventKind.ADOPTED)} == {x.run_id for x in found}
    assert {x.run_id for x in found}.isdisjoint({run_id for run_id, _ in backend.launched})
    assert driver.state.finished == 4
    assert len(told(store, EventKind.STARTED)) == 4


def test_a_run_that_finished_before_its_group_was_found_counts_once() -> None:
    store = MemoryStore()
    found = _killed_at_work(store)
    first = found[0].run_id
    backend = FoundBackend(store, found)
    driver = driver_over(store, backend, recovered=[scored(first, (0.51, 5.1)), done(first)])
    driver.run()
    assert [e.run_id for e in told(store, EventKind.FINISHED)].count(first) == 1
    assert driver.state.finished == 4


def test_an_attempt_that_had_failed_already_is_dropped_and_made_again() -> None:
    store = MemoryStore()
    found = _killed_at_work(store)
    gone = found[0]
    late = MemoryLedger(store)
    payload = {"final": False, "retryable": True, "details": ""}
    name = f"failed:{gone.run_id}:0"
    late.append(
        [Event(name, EventKind.FAILED, 9.0, gone.run_id, boundary="worker", payload=payload)]
    )
    backend = FoundBackend(store, found)
    driver_over(store, backend).run()
    assert backend.dropped == [gone]
    assert (gone.run_id, 1) in backend.launched


def test_an_attempt_of_a_run_that_nobody_proposed_is_dropped() -> None:
    store = MemoryStore()
    (known, _) = _killed_at_work(store)
    stray = Launch("r0077-abcdef", 0, known.proposal)
    backend = FoundBackend(store, [stray])
    driver_over(store, backend).run()
    assert backend.dropped == [stray]
    assert "r0077-abcdef" not in {e.run_id for e in store.events}


def test_a_request_to_stop_puts_runs_down_and_ends_in_good_order() -> None:
    store = MemoryStore()
    backend = ScriptedBackend(store, lambda launch: [])
    spec = circle_spec(stop={"runs": 4}, proposer=LATTICE)
    asked = iter(["", "", "stopped by ada@lab"])
    hooks = Hooks(stop_asked=lambda: next(asked))
    proposer = build(spec.proposer, m=2, runs=4)
    reason = Driver(spec, MemoryLedger(store), backend, proposer, hooks).run()
    assert reason == "stopped by ada@lab"
    assert backend.closed == 1
    assert len(told(store, EventKind.STOPPED)) == 2
    assert told(store, EventKind.CLOSED)[0].message == reason


def test_what_finished_while_runs_were_put_down_is_kept() -> None:
    store = MemoryStore()
    backend = ScriptedBackend(store, lambda launch: [])
    spec = circle_spec(stop={"runs": 4}, proposer=LATTICE)
    asked = iter(["", "", "stopped by ada@lab"])

    def recover() -> list[Event]:
        if not backend.closed:
            return []
        first = backend.launched[0][0]
        return [scored(first, (0.9, 9.0)), done(first)]

    hooks = Hooks(recover=recover, stop_asked=lambda: next(asked))
    Driver(spec, MemoryLedger(store), backend, build(spec.proposer, m=2, runs=4), hooks).run()
    assert [e.run_id for e in told(store, EventKind.FINISHED)] == [backend.launched[0][0]]
    assert [e.run_id for e in told(store, EventKind.STOPPED)] == [backend.launched[1][0]]


class AwayLedger(MemoryLedger):
    """Storage fails a number of times, before or after the commit landed."""

    def __init__(self, store: MemoryStore, *, times: int, landed: bool = False) -> None:
        super().__init__(store)
        self.times = times
        self.landed = landed

    def append(self, events: Sequence[Event]) -> list[Event]:
        if any(e.kind is EventKind.FINISHED for e in events) and self.times:
            self.times -= 1
            if self.landed:
                super().append(events)
            raise LedgerError("storage failed: connection refused")
        return super().append(events)


@pytest.mark.parametrize("landed", [False, True])
def test_storage_that_is_away_for_a_while_costs_nothing_but_time(landed: bool) -> None:
    store = MemoryStore()
    backend = ScriptedBackend(store)
    spec = circle_spec(stop={"runs": 4}, proposer=LATTICE)
    ledger = AwayLedger(store, times=3, landed=landed)
    notes: list[str] = []
    hooks = Hooks(watch=lambda state, note: notes.append(note))
    driver = Driver(spec, ledger, backend, build(spec.proposer, m=2, runs=4), hooks)
    driver.run()
    assert sum(f"trying again in {RETRY_S:g} s" in note for note in notes) == 3
    ends = [e.run_id for e in told(store, EventKind.FINISHED)]
    assert len(ends) == len(set(ends)) == driver.state.finished == 4


def test_storage_that_stays_away_ends_the_driver_and_leaves_the_groups() -> None:
    store = MemoryStore()
    backend = ScriptedBackend(store)
    spec = circle_spec(stop={"runs": 4}, proposer=LATTICE)
    ledger = AwayLedger(store, times=10**6)
    proposer = build(spec.proposer, m=2, runs=4)
    with raises("ledger", "connection refused"):
        Driver(spec, ledger, backend, proposer).run()
    assert 10**6 - ledger.times > 0.5 * OUTAGE_S / RETRY_S
    assert (backend.closed, backend.left) == (0, 1)


def test_fragments_out_of_reach_leave_the_groups_to_the_next_driver() -> None:
    store = MemoryStore()
    backend = ScriptedBackend(store)
    spec = circle_spec(stop={"runs": 4}, proposer=LATTICE)

    def recover() -> list[Event]:
        raise StorageError("s3://bucket does not answer")

    proposer = build(spec.proposer, m=2, runs=4)
    with pytest.raises(StorageError):
        Driver(spec, MemoryLedger(store), backend, proposer, Hooks(recover=recover)).run()
    assert (backend.closed, backend.left) == (0, 1)


class OvertakenLedger(MemoryLedger):
    def append(self, events: Sequence[Event]) -> list[Event]:
        raise FencedError("a newer driver owns the sweep")


def test_a_fenced_driver_does_not_try_again() -> None:
    store = MemoryStore()
    backend = ScriptedBackend(store)
    spec = circle_spec(stop={"runs": 4}, proposer=LATTICE)
    with pytest.raises(FencedError):
        Driver(spec, OvertakenLedger(store), backend, build(spec.proposer, m=2, runs=4)).run()
    assert backend.now() < RETRY_S


def _attempts(cause: Cause, spec: SweepSpec) -> list[int]:
    """Return the accumulation factor of every attempt of one run that never succeeds."""
    store = MemoryStore()
    factors: list[int] = []
    failure = Failure(Boundary.WORKER, "gone", retryable=True, cause=cause)

    def fail(launch: Launch) -> list[Report]:
        factors.append(launch.accumulation_factor)
        return [Report(launch.run_id, launch.attempt, ended=True, failure=failure)]

    driver_over(store, ScriptedBackend(store, fail), spec).run()
    return factors


def test_lost_machines_have_a_budget_of_their_own() -> None:
    engine = {"retries": 0, "limits": {"losses": 3}}
    spec = circle_spec(stop={"runs": 1}, proposer=LATTICE, engine=engine)
    assert _attempts(Cause.LOST, spec) == [1, 1, 1, 1]
    assert _attempts(Cause.ERROR, spec) == [1]


def test_out_of_memory_halves_the_forward_batch_until_it_holds_one_example() -> None:
    method = {"type": "dpo", "batch_size": 12}
    spec = circle_spec(stop={"runs": 1}, proposer=LATTICE, method=method, engine={"retries": 0})
    assert _attempts(Cause.OUT_OF_MEMORY, spec) == [1, 2, 4, 12]


def test_other_runs_go_on_after_a_lost_machine() -> None:
    store = MemoryStore()
    failures = iter([Failure(Boundary.WORKER, "node lost", retryable=True, cause=Cause.LOST)])

    def answer(launch: Launch) -> list[Report]:
        for failure in failures:
            return [Report(launch.run_id, launch.attempt, ended=True, failure=failure)]
        return result(launch)

    driver = driver_over(store, ScriptedBackend(store, answer))
    driver.run()
    assert (driver.state.finished, driver.state.failed) == (4, 0)
    assert told(store, EventKind.FAILED)[0].payload["cause"] == "lost"


def test_a_failed_attempt_costs_the_time_of_every_rank() -> None:
    store = MemoryStore()
    failure = Failure(Boundary.METHOD, "no", retryable=False)
    resources = {"ranks": 3}
    spec = circle_spec(stop={"runs": 1}, proposer=LATTICE, engine={"resources": resources})
    backend = ScriptedBackend(
        store, lambda x: [Report(x.run_id, x.attempt, ended=True, failure=failure)]
    )
    driver_over(store, backend, spec).run()
    (failed,) = told(store, EventKind.FAILED)
    assert failed.wall_s > 0
    assert failed.device_s == 3 * failed.wall_s
