"""Late or repeated reports: results of runs given up, ends of replaced attempts."""

from __future__ import annotations

import pytest

from paretoflow.core.launch import Launch
from paretoflow.core.status import RunStatus
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.loop.hooks import Hooks
from paretoflow.engine.messages import Report
from paretoflow.ledger.memory import MemoryLedger, MemoryStore
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.proposers import build
from tests.sim.specs import circle_spec
from tests.unit.engine.scripted import ScriptedBackend, crash, driver_over, result, told
from tests.unit.engine.telling import done, scored


def test_the_result_of_a_run_that_was_given_up_counts_but_not_its_end() -> None:
    store = MemoryStore()
    given_up: list[Launch] = []

    def answer(launch: Launch) -> list[Report]:
        if launch.run_id.startswith("r0000"):
            given_up.append(launch)
            return crash(launch, retryable=False)
        return [*(r for late in given_up for r in result(late)), *result(launch)]

    driver_over(store, ScriptedBackend(store, answer)).run()
    again = driver_over(
        store, ScriptedBackend(store)
    )  # a ledger with an illegal row would not fold
    again.run()
    run_id = given_up[0].run_id
    assert again.state.runs[run_id].status is RunStatus.FAILED
    assert run_id in {e.run_id for e in told(store, EventKind.EVALUATED)}
    assert run_id not in {e.run_id for e in told(store, EventKind.FINISHED)}


def test_the_end_of_an_attempt_told_again_does_not_end_the_next_one() -> None:
    store = MemoryStore()
    first: list[Launch] = []

    def answer(launch: Launch) -> list[Report]:
        if launch.attempt == 0:
            first.append(launch)
            return crash(launch)
        late = next(x for x in first if x.run_id == launch.run_id)
        return [*crash(late), *result(launch)]

    driver_over(store, ScriptedBackend(store, answer)).run()
    assert sorted(e.attempt for e in told(store, EventKind.FAILED)) == [0] * 4
    assert sorted(e.attempt for e in told(store, EventKind.STARTED)) == [0] * 4 + [1] * 4
    assert len(told(store, EventKind.FINISHED)) == 4


def test_reports_of_runs_that_nobody_knows_are_left_out() -> None:
    store = MemoryStore()
    stranger = Report("r0099-ffffff", 0, (done("r0099-ffffff"),), ended=True)
    driver = driver_over(store, ScriptedBackend(store, lambda x: [stranger, *result(x)]))
    driver.run()
    assert "r0099-ffffff" not in driver.state.runs
    assert driver.state.finished == 4


def test_the_last_front_is_recorded_though_the_end_of_its_attempt_is_not_told_yet() -> None:
    store = MemoryStore()
    spec = circle_spec(stop={"runs": 1}, proposer={"type": "lattice"})
    driver = driver_over(store, ScriptedBackend(store, lambda x: result(x)[:1]), spec)
    driver.run()
    names = [driver.state.evaluations[int(i)].snapshot_id for i in driver.state.front_indices]
    assert len(names) == 2
    assert list(store.fronts[max(store.fronts)].snapshot_ids) == names


class EarlyInterrupt(MemoryLedger):
    """Ctrl-C comes before the first commit."""

    waits = True

    def append(self, events: list[Event]) -> list[Event]:  # type: ignore[override]
        if self.waits:
            self.waits = False
            raise KeyboardInterrupt
        return super().append(events)


def test_ctrl_c_before_the_first_commit_keeps_what_a_stopped_run_had_finished() -> None:
    store = MemoryStore()

    def impatient(launch: Launch) -> list[Report]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        driver_over(store, ScriptedBackend(store, impatient)).run()
    run_id = told(store, EventKind.STOPPED)[0].run_id
    spec = circle_spec(stop={"runs": 4}, proposer={"type": "lattice"})
    hooks = Hooks(recover=lambda: [scored(run_id, (0.9, 9.0)), done(run_id)])
    proposer = build(spec.proposer, m=2, runs=4)
    driver = Driver(spec, EarlyInterrupt(store), ScriptedBackend(store), proposer, hooks)
    with pytest.raises(KeyboardInterrupt):
        driver.run()
    again = driver_over(store, ScriptedBackend(store))
    again.run()
    assert again.state.runs[run_id].status is RunStatus.FINISHED
    assert again.state.finished == 4
