"""The money that judges cost is in the ledger, whole after any crash, and ends a sweep."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from paretoflow.core.launch import Launch
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.loop.hooks import Hooks
from paretoflow.engine.messages import Report
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.ledger.memory import MemoryLedger, MemoryStore
from paretoflow.proposers import build
from tests.sim.specs import circle_spec
from tests.unit.engine.scripted import ScriptedBackend, crash, result


class Killed(BaseException):
    """The driver's process ends."""


def driver(
    store: MemoryStore, answer: Callable[[Launch], list[Report]], paid: list[float]
) -> Driver:
    spec = circle_spec(
        stop={"runs": 6, "cost": 5}, engine={"price": 0}, proposer={"type": "lattice"}
    )
    hooks = Hooks(judged=lambda: sum(paid))
    backend = ScriptedBackend(store, answer, workers=1)
    return Driver(spec, MemoryLedger(store), backend, build(spec.proposer, m=2, runs=6), hooks)


def in_ledger(store: MemoryStore) -> float:
    state = SweepState()
    state.apply(MemoryLedger(store, writer=False).events())
    return state.judged


def test_failed_attempts_and_killed_drivers_lose_no_money() -> None:
    store, paid = MemoryStore(), [0.5]

    def dying(launch: Launch) -> list[Report]:
        paid.append(1.0)
        if len(paid) == 4:
            raise Killed
        return crash(launch) if len(paid) == 2 else result(launch)

    with pytest.raises(Killed):
        driver(store, dying, paid).run()
    assert in_ledger(store) == 2.5  # the last one was paid, and nobody could say so

    def paying(launch: Launch) -> list[Report]:
        paid.append(1.0)
        return result(launch)

    again = driver(store, paying, paid)
    assert again.run() == "a cost of 5 is reached"
    assert in_ledger(store) == again.state.judged == sum(paid) == 5.5


def test_a_sweep_without_a_judge_writes_nothing_about_money() -> None:
    store = MemoryStore()
    spec = circle_spec(stop={"runs": 2}, proposer={"type": "lattice"})
    backend = ScriptedBackend(store)
    Driver(spec, MemoryLedger(store), backend, build(spec.proposer, m=2, runs=2)).run()
    events = MemoryLedger(store, writer=False).events()
    assert not [event for event in events if "judged" in event.payload]
