"""The current nodes of the Ray cluster: total and free resources, and nodes being drained."""

from __future__ import annotations

from typing import Any

import ray

from paretoflow.engine.cluster.dashboard import ClusterNode


def read_nodes() -> tuple[list[ClusterNode], list[ClusterNode]]:
    """Return the live nodes with total resources, and with available resources."""
    free = ray._private.state.available_resources_per_node()
    living = [node for node in ray.nodes() if node["Alive"]]
    whole = [
        ClusterNode(n["NodeManagerAddress"], n["Resources"], n.get("Labels", {})) for n in living
    ]
    left = [
        ClusterNode(n["NodeManagerAddress"], free.get(n["NodeID"], {}), n.get("Labels", {}))
        for n in living
    ]
    return whole, left


def draining_nodes() -> dict[str, int]:
    """Return the ids of the nodes that will be taken away, with deadlines in milliseconds."""
    found: dict[str, int] = ray._private.state.state.get_draining_nodes()
    return found


def may_grow() -> bool:
    """Check whether an autoscaler reports that it can add nodes."""
    return ray._private.state.state.get_max_resources_from_cluster_config() is not None


def groups_named(prefix: str) -> dict[str, Any]:
    """Return the placement groups whose name has a prefix and that are not removed, by name."""
    from ray._common.utils import hex_to_binary
    from ray._raylet import PlacementGroupID
    from ray.util.placement_group import PlacementGroup, placement_group_table

    return {
        row["name"]: PlacementGroup(PlacementGroupID(hex_to_binary(key)))
        for key, row in placement_group_table().items()
        if row["name"].startswith(prefix) and row["state"] != "REMOVED"
    }
