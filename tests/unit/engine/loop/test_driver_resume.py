"""State that a stopped or killed driver leaves, and the start of the next driver from it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from paretoflow.core.launch import Launch
from paretoflow.core.status import RunStatus
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.messages import Report
from paretoflow.ledger.memory import MemoryLedger, MemoryStore
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.proposers import build
from tests.sim.specs import circle_spec
from tests.unit.engine.scripted import ScriptedBackend, crash, driver_over, result, told
from tests.unit.engine.telling import done, scored


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
    spec = circle_spec(stop={"runs": 4, "failures": None}, proposer={"type": "lattice"})
    driver_over(store, ScriptedBackend(store, crash), spec).run()
    given_up = told(store, EventKind.FAILED)[0].run_id
    again = driver_over(
        store,
        ScriptedBackend(store),
        spec,
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
