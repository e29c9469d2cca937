from __future__ import annotations

import pytest

from paretoflow.engine.cluster.capacity import room, shortfall
from paretoflow.engine.cluster.dashboard import ClusterNode
from paretoflow.spec.engine import ResourcesSpec

H100 = {"ray.io/accelerator-type": "H100"}
NODES = [
    ClusterNode("10.0.0.1", {"CPU": 8.0}),
    ClusterNode("10.0.0.2", {"CPU": 16.0, "GPU": 4.0}, H100),
    ClusterNode("10.0.0.3", {"CPU": 2.0, "GPU": 4.0}, {"ray.io/accelerator-type": "A100"}),
]


@pytest.mark.parametrize(
    ("asked", "groups"),
    [
        ({}, 26),  # every core one worker group
        ({"cpus_per_rank": 3}, 7),  # 2 + 5 + 0
        ({"cpus_per_rank": 0.1}, 260),
        ({"gpus_per_rank": 1}, 6),  # 0 + 4 + 2, for the third has two cores only
        ({"gpus_per_rank": 1, "ranks": 4}, 1),
        ({"gpus_per_rank": 0.5, "cpus_per_rank": 0.5}, 12),  # 8 of 8, and 4 cores' halves
        ({"gpus_per_rank": 0.6, "cpus_per_rank": 0.1}, 8),  # one to a device
        ({"gpus_per_rank": 1, "ranks": 7}, 0),
        ({"gpus_per_rank": 1, "labels": H100}, 4),
        ({"labels": {"ray.io/accelerator-type": "in(H100, A100)"}}, 18),
        ({"labels": {"ray.io/accelerator-type": "!A100"}}, 24),
        ({"labels": {"ray.io/accelerator-type": "!in(H100,A100)"}}, 8),
        ({"labels": {"tier": "spot"}}, 0),
    ],
)
def test_groups_are_counted_node_by_node(asked: dict, groups: int) -> None:
    assert room(NODES, ResourcesSpec(**asked)) == groups
    assert (shortfall(NODES, ResourcesSpec(**asked)) == "") == (groups > 0)


def test_a_free_part_of_a_device_counts_once() -> None:
    half_free = [ClusterNode("10.0.0.1", {"CPU": 8.0, "GPU": 1.5})]
    assert room(half_free, ResourcesSpec(gpus_per_rank=0.5)) == 3
    assert room(half_free, ResourcesSpec(gpus_per_rank=1)) == 1


def test_what_is_missing_is_said_for_each_node() -> None:
    asked = ResourcesSpec(ranks=8, gpus_per_rank=1, cpus_per_rank=2, labels=H100)
    assert shortfall(NODES, asked) == (
        "a worker group is 8 ranks, each of 2 CPU and 1 GPU on a node with the label "
        "ray.io/accelerator-type=H100; the cluster has room for 4 of 8: 10.0.0.1 has 8 CPU, 0 GPU, "
        "without the label; 10.0.0.2 has 16 CPU, 4 GPU; 10.0.0.3 has 2 CPU, 4 GPU, without the "
        "label"
    )


def test_many_nodes_are_not_all_listed_and_none_is_said() -> None:
    asked = ResourcesSpec(gpus_per_rank=1)
    many = [ClusterNode(f"10.0.0.{i}", {"CPU": 1.0}) for i in range(12)]
    assert shortfall(many, asked).endswith("; 7 more")
    assert shortfall([], asked).endswith("it has no nodes")
