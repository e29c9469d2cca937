"""Slots and their worker groups, over a cluster that a test plays."""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any

import pytest

from paretoflow.core.errors import ModelError, WorkerError
from paretoflow.core.status import Boundary
from paretoflow.engine.cluster.dashboard import Node
from paretoflow.engine.live import GroupPhase, GroupState
from paretoflow.engine.messages import Failure
from paretoflow.spec.engine import EngineSpec

pytestmark = pytest.mark.ray
pytest.importorskip("ray")
module = importlib.import_module("paretoflow.engine.ray.pool")
DIED = Failure(Boundary.WORKER, "the worker died", retryable=True)


class FakeGang:
    def __init__(self, slot: int) -> None:
        self.slot = slot
        self.phase = GroupPhase.WAITING
        self.workers = [SimpleNamespace(loaded=False)]
        self.nodes = {"node"}
        self.dismissed = False
        self.told = ""

    def dismiss(self) -> None:
        self.dismissed = True

    def drain(self, reason: str) -> None:
        self.told = reason

    def state(self) -> GroupState:
        return GroupState(self.slot, self.phase, 0.0)

    def work(self) -> None:
        self.phase, self.workers[0].loaded = GroupPhase.IDLE, True


class FakeMuster:
    def __init__(self) -> None:
        self.left: dict[Any, FakeGang] = {}
        self.created: list[FakeGang] = []

    def adopt(self, options: Any) -> dict[Any, FakeGang]:
        return self.left

    def create(self, slot: int, options: Any) -> tuple[Any, FakeGang]:
        self.created.append(FakeGang(slot))
        return f"{slot}-{len(self.created)}", self.created[-1]

    def remove_unknown(self, own: set[Any], epoch: int) -> None:
        self.own = own


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    nodes = ([Node("10.0.0.1", {"CPU": 2.0})], [Node("10.0.0.1", {"CPU": 0.5})])
    monkeypatch.setattr(module, "read_nodes", lambda: nodes)
    monkeypatch.setattr(module, "require_room", lambda resources: None)
    monkeypatch.setattr(module, "draining_nodes", dict)
    return now


def roster_of(factory: FakeMuster, **engine: Any) -> Any:
    made = module.WorkerGroupPool(EngineSpec(**engine), factory, alone=False)
    made.fill(SimpleNamespace(epoch=3))
    return made


def test_what_an_earlier_driver_left_is_kept_and_only_the_rest_is_asked_for(
    clock: list[float],
) -> None:
    factory = FakeMuster()
    factory.left = {"old": FakeGang(1)}
    pool = roster_of(factory, workers=3)
    assert [group.slot for group in factory.created] == [0, 2]
    assert sorted(group.slot for group in pool) == [0, 1, 2]


def test_of_gangs_with_several_ranks_the_next_asks_when_the_first_is_placed(
    clock: list[float],
) -> None:
    factory = FakeMuster()
    pool = roster_of(factory, workers=2, resources={"ranks": 2}, limits={"wait_s": 60})
    pool.admit()
    assert [group.slot for group in factory.created] == [0]
    clock[0] += 61
    pool.admit()
    assert [group.slot for group in factory.created] == [0, 1]
    assert factory.created[0].dismissed
    pool.placed(factory.created[1])
    pool.admit()
    assert [group.slot for group in factory.created] == [0, 1, 0]


def test_a_gang_that_never_gets_to_work_is_replaced_ever_later_and_then_given_up(
    clock: list[float],
) -> None:
    factory = FakeMuster()
    pool = roster_of(factory, workers=1)
    for pause in (2.0, 4.0):
        group = factory.created[-1]
        pool.record_start_failure(0, DIED)
        pool.replace(group)
        assert "the worker died" in pool.states()[0].reason
        clock[0] += pause - 0.1
        pool.admit()
        assert factory.created[-1] is group
        clock[0] += 0.1
        pool.admit()
        assert factory.created[-1] is not group
    with pytest.raises(WorkerError, match="no worker gets to work: the worker died"):
        pool.record_start_failure(0, DIED)


def test_the_error_that_loading_ended_in_is_the_one_that_is_raised(clock: list[float]) -> None:
    pool = roster_of(FakeMuster(), workers=1)
    for _ in range(module.START_FAILURES - 1):
        pool.record_start_failure(0, ModelError("no weights"))
    with pytest.raises(ModelError):
        pool.record_start_failure(0, ModelError("no weights"))


def test_while_one_gang_works_the_others_are_tried_for_ever(clock: list[float]) -> None:
    factory = FakeMuster()
    pool = roster_of(factory, workers=2)
    factory.created[0].work()
    pool.placed(factory.created[0])
    for _ in range(10):
        pool.record_start_failure(1, DIED)
    assert pool.error is DIED
    factory.created[1].work()
    pool.placed(factory.created[1])
    assert pool.error is None


def test_gangs_on_a_node_that_goes_are_told_and_strangers_are_looked_for(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    factory = FakeMuster()
    pool = roster_of(factory, workers=2)
    factory.created[1].nodes = {"other"}
    monkeypatch.setattr(module, "draining_nodes", lambda: {"node": 0})
    pool.check_cluster()
    assert [group.told for group in factory.created] == ["the node is to be taken back", ""]
    assert factory.own == {"0-1", "1-2"}


def test_waiting_gangs_say_for_what(clock: list[float]) -> None:
    factory = FakeMuster()
    pool = roster_of(factory, workers=2)
    factory.created[0].work()
    idle, waiting = pool.states()
    assert (idle.phase, idle.reason) == (GroupPhase.IDLE, "")
    assert waiting.reason == "waits for 1 bundle of {CPU: 1}: 0.5 of 2 CPUs free on 1 node"


def test_nothing_is_asked_for_while_the_sweep_stops(clock: list[float]) -> None:
    factory = FakeMuster()
    pool = roster_of(factory, workers=1)
    pool.closing = True
    pool.replace(factory.created[0])
    pool.admit()
    assert len(factory.created) == 1
