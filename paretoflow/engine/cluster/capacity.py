"""The number of worker groups that fit into a cluster, and the resources missing for one.

All workers of a group need the same resources, so counting them node by node is exact.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from paretoflow.engine.cluster.dashboard import ClusterNode
from paretoflow.spec.engine import ResourcesSpec

_SHOWN = 5


def room(nodes: Sequence[ClusterNode], resources: ResourcesSpec) -> int:
    """Return the number of worker groups that empty nodes hold at the same time."""
    return sum(_ranks(node, resources) for node in nodes) // resources.ranks


def shortfall(nodes: Sequence[ClusterNode], resources: ResourcesSpec) -> str:
    """Describe the resources that the nodes lack for one worker group; empty when one fits."""
    if room(nodes, resources):
        return ""
    wanted = f"{resources.cpus_per_rank:g} CPU and {resources.gpus_per_rank:g} GPU"
    if resources.labels:
        labels = ", ".join(f"{k}={v}" for k, v in resources.labels.items())
        wanted += f" on a node with the label {labels}"
    count = "one rank" if resources.ranks == 1 else f"{resources.ranks} ranks, each"
    held = sum(_ranks(node, resources) for node in nodes)
    lines = [_line(node, resources) for node in nodes[:_SHOWN]]
    if len(nodes) > _SHOWN:
        lines.append(f"{len(nodes) - _SHOWN} more")
    return (
        f"a worker group is {count} of {wanted}; "
        f"the cluster has room for {held} of {resources.ranks}: "
        f"{'; '.join(lines) or 'it has no nodes'}"
    )


def _line(node: ClusterNode, resources: ResourcesSpec) -> str:
    has = f"{node.resources.get('CPU', 0):g} CPU, {node.resources.get('GPU', 0):g} GPU"
    label = "" if labelled(node.labels, resources.labels) else ", without the label"
    return f"{node.address} has {has}{label}"


def _ranks(node: ClusterNode, resources: ResourcesSpec) -> int:
    if not labelled(node.labels, resources.labels):
        return 0
    by_cpu = math.floor(node.resources.get("CPU", 0) / resources.cpus_per_rank + 1e-6)
    gpus = resources.gpus_per_rank
    if not gpus:
        return by_cpu
    part, whole = math.modf(node.resources.get("GPU", 0) + 1e-6)
    by_gpu = int(whole) * math.floor(1 / gpus + 1e-6)  # a worker's share is on one device
    return min(by_cpu, by_gpu + math.floor(part / gpus))


def labelled(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Check whether a node's labels fulfil every condition on them."""
    return all(_matches(labels.get(key), want) for key, want in wanted.items())


def _matches(value: str | None, want: str) -> bool:
    """Check whether a label fulfils Ray's condition: `x`, `!x`, `in(x, y)` or `!in(x, y)`."""
    negated = want.startswith("!")
    plain = want.removeprefix("!")
    if plain.startswith("in(") and plain.endswith(")"):
        among = [part.strip() for part in plain[3:-1].split(",")]
    else:
        among = [plain]
    return (value in among) != negated
