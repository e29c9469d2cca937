"""Slots and their worker groups, over workers that a test moves by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from paretoflow.core.errors import ModelError
from paretoflow.core.status import Boundary
from paretoflow.engine.cluster.dashboard import ClusterNode
from paretoflow.engine.groups.discovery import WorkerGroupFactory
from paretoflow.engine.groups.pool import (
    JOIN_S,
    START_FAILURES,
    UNKNOWN_S,
    WorkerGroupPool,
    require_room,
)
from paretoflow.engine.groups.worker_group import WorkerGroup
from paretoflow.engine.groups.worker_handle import GroupOptions
from paretoflow.engine.live import GroupPhase
from paretoflow.engine.messages import Failure
from paretoflow.engine.runtime.poll import LoadResult
from paretoflow.engine.runtime.protocols import EXECUTOR
from paretoflow.spec.engine import ResourcesSpec
from tests.faults import raises
from tests.sim.specs import circle_spec
from tests.unit.engine.groups.by_hand import HandTransport
from tests.unit.engine.telling import PROBLEM

DIED = Failure(Boundary.WORKER, "the worker died", retryable=True)


@pytest.fixture
def at() -> HandTransport:
    return HandTransport()


def pool_of(at: HandTransport, epoch: int = 3, **engine: Any) -> WorkerGroupPool:
    spec = circle_spec(engine=engine)
    factory = WorkerGroupFactory(spec, "/a/s", EXECUTOR, at)
    pool = WorkerGroupPool(spec.engine, factory, at)
    pool.fill(GroupOptions(at, epoch, spec.engine.limits, 0.0, alone=True))
    return pool


def created(at: HandTransport) -> list[int]:
    """Return the slots of the worker groups that are there, in the order of asking."""
    return [int(name.split("-")[0].removeprefix("slot")) for name in at.placements]


def in_slot(pool: WorkerGroupPool, slot: int) -> WorkerGroup:
    return next(group for group in pool if group.slot == slot)


def work(pool: WorkerGroupPool, slot: int) -> WorkerGroup:
    """Let a worker group get its resources and load."""
    group = in_slot(pool, slot)
    for step in range(3):
        if step == 2:
            group.workers[0].actor.mailbox.loaded(LoadResult())
        group.listen()
        group.take(set(group.awaited()))
        if step == 0:
            group.load(PROBLEM)
    assert group.phase is GroupPhase.IDLE
    pool.placed(group)
    return group


def test_what_an_earlier_driver_left_is_kept_and_only_the_rest_is_asked_for(
    at: HandTransport,
) -> None:
    first = pool_of(at, epoch=1, workers=3)
    for slot in (0, 2):
        in_slot(first, slot).dismiss()
    kept = in_slot(first, 1).workers[0].actor
    pool = pool_of(at, epoch=2, workers=3)
    assert created(at) == [1, 0, 2]
    assert in_slot(pool, 1).workers[0].actor is kept
    assert sorted(group.slot for group in pool) == [0, 1, 2]


def test_of_groups_with_several_ranks_the_next_asks_when_the_first_is_placed(
    at: HandTransport,
) -> None:
    pool = pool_of(at, workers=2, resources={"ranks": 2}, limits={"wait_s": 60})
    pool.admit()
    assert created(at) == [0]
    at.now_s += 61
    pool.admit()
    assert created(at) == [1], "the first was taken back"
    pool.placed(in_slot(pool, 1))
    pool.admit()
    assert created(at) == [1, 0]


def test_a_group_that_never_gets_to_work_is_replaced_ever_later_and_then_given_up(
    at: HandTransport,
) -> None:
    pool = pool_of(at, workers=1)
    for pause in (2.0, 4.0):
        group = in_slot(pool, 0)
        pool.record_start_failure(0, DIED)
        pool.replace(group)
        assert "the worker died" in pool.states()[0].reason
        at.now_s += pause - 0.1
        pool.admit()
        assert list(pool) == []
        at.now_s += 0.1
        pool.admit()
        assert in_slot(pool, 0) is not group
    with raises("worker-start", "worker"):
        pool.record_start_failure(0, DIED)


def test_the_error_that_loading_ended_in_is_the_one_that_is_raised(at: HandTransport) -> None:
    pool = pool_of(at, workers=1)
    for _ in range(START_FAILURES - 1):
        pool.record_start_failure(0, ModelError("no weights"))
    with pytest.raises(ModelError):
        pool.record_start_failure(0, ModelError("no weights"))


def test_while_one_group_works_the_others_are_tried_for_ever(at: HandTransport) -> None:
    pool = pool_of(at, workers=2)
    work(pool, 0)
    for _ in range(10):
        pool.record_start_failure(1, DIED)
    assert pool.error is DIED
    work(pool, 1)
    assert pool.error is None


def test_groups_on_a_node_that_goes_are_told_and_strangers_are_removed(at: HandTransport) -> None:
    at.now_s = UNKNOWN_S + 1
    pool = pool_of(at, workers=2)
    for group in pool:
        group.workers[0].actor.number = group.slot
        work(pool, group.slot)
    stranger = WorkerGroupFactory(circle_spec(), "/a/s", EXECUTOR, at)
    options = GroupOptions(at, 2, circle_spec().engine.limits, 0.0, alone=True)
    stranger.create(0, replace(options, epoch=2))
    assert created(at) == [0, 1, 0]
    at.leaving = {"node0": 0}
    pool.check_cluster()
    assert [group.leaving for group in pool] == ["the node is to be taken back", ""]
    assert created(at) == [0, 1]


def test_waiting_groups_say_for_what(at: HandTransport) -> None:
    pool = pool_of(at, workers=2)
    work(pool, 0)
    idle, waiting = pool.states()
    assert (idle.phase, idle.reason) == (GroupPhase.IDLE, "")
    assert waiting.reason == "waits for 1 bundle of {CPU: 1}: 0.5 of 2 CPUs free on 1 node"


def test_nothing_is_asked_for_while_the_sweep_stops(at: HandTransport) -> None:
    pool = pool_of(at, workers=1)
    pool.closing = True
    pool.replace(in_slot(pool, 0))
    pool.admit()
    assert created(at) == []


def test_a_private_cluster_that_lost_its_only_node_ends_the_sweep(at: HandTransport) -> None:
    at.private = True
    pool = pool_of(at, workers=1)
    at.whole = []
    with raises("worker-died", "lost"):
        pool.check_cluster()


@pytest.mark.parametrize("ranks", [4, 5])
def test_a_cluster_without_room_for_one_group_is_refused_unless_it_can_grow(
    at: HandTransport, ranks: int
) -> None:
    at.whole = [ClusterNode("10.0.0.1", {"CPU": 4.0})]
    if ranks == 4:
        require_room(ResourcesSpec(ranks=ranks), at)
        return
    began_s = at.now_s
    with raises("cluster-too-small", "for 4", "5"):
        require_room(ResourcesSpec(ranks=ranks), at)
    assert at.now_s - began_s >= JOIN_S, "nodes may be joining"
    at.grows = True
    require_room(ResourcesSpec(ranks=ranks), at)


def test_nodes_that_still_join_are_waited_for() -> None:
    looks = iter([[], [], [ClusterNode("10.0.0.1", {"CPU": 4.0})]])

    class Joining(HandTransport):
        def nodes(self) -> tuple[list[ClusterNode], list[ClusterNode]]:
            return next(looks), []

    require_room(ResourcesSpec(), Joining())
    assert list(looks) == []
