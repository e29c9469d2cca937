from __future__ import annotations

import pytest

from paretoflow.engine.cluster.admission import Queue, fits_one_node, pause_s, waits_for
from paretoflow.engine.cluster.dashboard import ClusterNode
from paretoflow.spec.engine import ResourcesSpec

SMALL = ClusterNode("10.0.0.1", {"CPU": 4.0})
LARGE = ClusterNode("10.0.0.2", {"CPU": 16.0, "GPU": 4.0}, {"tier": "a"})


def test_groups_of_one_rank_all_ask_at_once_in_order() -> None:
    queue = Queue(one_at_a_time=False, wait_s=10)
    for slot in (2, 0, 1):
        queue.enter(slot, 0.0)
    assert queue.next(0.0) == [2, 0, 1]
    assert queue.next(0.0) == []
    assert queue.late(1e6) == []


def test_of_groups_of_several_ranks_one_asks_and_the_next_follows_when_it_is_admitted() -> None:
    queue = Queue(one_at_a_time=True, wait_s=10)
    queue.enter(0, 0.0)
    queue.enter(1, 0.0)
    assert queue.next(0.0) == [0]
    assert queue.next(5.0) == []
    queue.admitted(0)
    assert queue.next(5.0) == [1]


def test_one_that_asks_for_too_long_goes_to_the_back_but_not_if_nobody_waits() -> None:
    queue = Queue(one_at_a_time=True, wait_s=10)
    queue.enter(0, 0.0)
    assert queue.next(0.0) == [0]
    assert queue.late(100.0) == []
    queue.enter(1, 0.0)
    assert queue.late(5.0) == []
    assert queue.late(10.1) == [0]
    assert queue.next(10.1) == [1]
    queue.admitted(1)
    assert queue.next(10.1) == [0]


def test_a_slot_that_rests_does_not_ask_and_holds_nobody_up() -> None:
    queue = Queue(one_at_a_time=True, wait_s=10)
    queue.enter(0, 8.0)
    queue.enter(1, 0.0)
    assert queue.next(1.0) == [1]
    queue.admitted(1)
    assert queue.next(7.9) == []
    assert queue.next(8.0) == [0]


def test_rests_grow_with_failures() -> None:
    assert [pause_s(n) for n in range(5)] == [0.0, 2.0, 4.0, 8.0, 16.0]
    assert pause_s(50) == 300.0


@pytest.mark.parametrize(
    ("resources", "fits"),
    [
        (ResourcesSpec(ranks=4, gpus_per_rank=1.0), True),
        (ResourcesSpec(ranks=5, gpus_per_rank=1.0), False),
        (ResourcesSpec(ranks=17), False),
        (ResourcesSpec(ranks=16), True),
        (ResourcesSpec(ranks=5, labels={"tier": "!a"}), False),
    ],
)
def test_a_group_is_packed_on_one_node_where_one_could_hold_it(
    resources: ResourcesSpec, fits: bool
) -> None:
    assert fits_one_node([SMALL, LARGE], resources) is fits


def test_a_waiting_group_says_what_it_waits_for_and_how_much_is_free() -> None:
    free = [
        ClusterNode("10.0.0.1", {"CPU": 4.0}),
        ClusterNode("10.0.0.2", {"CPU": 8.5}, {"tier": "a"}),
    ]
    resources = ResourcesSpec(cpus_per_rank=8, gpus_per_rank=1.0, labels={"tier": "a"})
    assert waits_for([SMALL, LARGE], resources, free) == (
        "waits for 1 bundle of {CPU: 8, GPU: 1} with label tier=a: "
        "8.5 of 16 CPUs, 0 of 4 GPUs free on 1 node"
    )


def test_a_group_of_several_ranks_says_how_many_are_missing() -> None:
    free = [ClusterNode("10.0.0.1", {"CPU": 2.0}), ClusterNode("10.0.0.2", {"CPU": 1.0})]
    assert waits_for([SMALL, LARGE], ResourcesSpec(ranks=8), free) == (
        "waits for 5 of 8 bundles of {CPU: 1}: 3 of 20 CPUs free on 2 nodes"
    )


def test_a_label_that_no_node_has_is_said() -> None:
    wanted = ResourcesSpec(labels={"tier": "z"})
    assert waits_for([SMALL, LARGE], wanted, [SMALL, LARGE]) == (
        "waits for 1 bundle of {CPU: 1} with label tier=z: no node has that label"
    )
    assert waits_for([], wanted, []).endswith(": the cluster has no nodes")
