"""What the Ray cluster holds now: nodes, what is free on them, and which are to be taken away."""

from __future__ import annotations

from typing import Any

import ray

from paretoflow.engine.cluster.dashboard import ClusterNode


def read_nodes() -> tuple[list[ClusterNode], list[ClusterNode]]:
    """Return the living nodes with all that they have, and the same with what is free now."""
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
    """Return the ids of the nodes that are to be taken away, with deadlines in milliseconds."""
    found: dict[str, int] = ray._private.state.state.get_draining_nodes()
    return found


def may_grow() -> bool:
    """Return whether an autoscaler says that it can add nodes."""
    return ray._private.state.state.get_max_resources_from_cluster_config() is not None


def groups_named(prefix: str) -> dict[str, Any]:
    """Return the placement groups that are not removed, by name, with a prefix."""
    from ray._common.utils import hex_to_binary
    from ray._raylet import PlacementGroupID
    from ray.util.placement_group import PlacementGroup, placement_group_table

    return {
        row["name"]: PlacementGroup(PlacementGroupID(hex_to_binary(key)))
        for key, row in placement_group_table().items()
        if row["name"].startswith(prefix) and row["state"] != "REMOVED"
    }
