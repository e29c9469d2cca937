"""The queue of worker groups that wait for resources, and descriptions of these resources.

Two groups of several workers that each hold a part of the resources that both need would wait for
each other forever. So at most one of them requests resources at a time, and a group whose request
takes too long moves to the back. This module does not use Ray.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from paretoflow.engine.cluster.capacity import labelled, room
from paretoflow.engine.cluster.dashboard import ClusterNode
from paretoflow.spec.engine import ResourcesSpec

FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 300.0


def pause_s(failures: int) -> float:
    """Return the pause of a slot whose group failed to start `failures` times in a row.

    By hand: 0, 2, 4, 8, … seconds, at most five minutes.
    """
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (failures - 1)) if failures else 0.0


@dataclass
class Queue:
    """The slots whose worker groups wait for resources.

    Args:
        one_at_a_time: Whether only one worker group requests resources at a time; otherwise all do.
        wait_s: Longest time of a request in seconds before the next group has its turn.

    Attributes:
        asking: Slots that request resources, each with the start time of its request.
    """

    one_at_a_time: bool
    wait_s: float
    asking: dict[int, float] = field(default_factory=dict)
    _waiting: dict[int, float] = field(default_factory=dict)

    def enter(self, slot: int, not_before_s: float) -> None:
        """Put a slot at the back of the queue; its request starts at a given time or later."""
        self._waiting[slot] = not_before_s

    def admitted(self, slot: int) -> None:
        """Remove a slot that got its resources or was given up."""
        self.asking.pop(slot, None)
        self._waiting.pop(slot, None)

    def late(self, now_s: float) -> list[int]:
        """Return the slots whose request must be withdrawn, and put them at the back.

        A request continues while no other slot waits.
        """
        if not self.one_at_a_time or not self._waiting:
            return []
        late = [slot for slot, since in self.asking.items() if now_s - since > self.wait_s]
        for slot in late:
            del self.asking[slot]
            self.enter(slot, now_s)
        return late

    def next(self, now_s: float) -> list[int]:
        """Return the slots that should start a request now, in order, and move them to `asking`."""
        chosen = [slot for slot, not_before in self._waiting.items() if not_before <= now_s]
        if self.one_at_a_time:
            chosen = [] if self.asking else chosen[:1]
        for slot in chosen:
            del self._waiting[slot]
            self.asking[slot] = now_s
        return chosen


def fits_one_node(nodes: Sequence[ClusterNode], resources: ResourcesSpec) -> bool:
    """Check whether an empty node could hold the whole worker group."""
    return any(room([node], resources) for node in nodes)


def waits_for(
    nodes: Sequence[ClusterNode], resources: ResourcesSpec, free: Sequence[ClusterNode]
) -> str:
    """Describe the resources that a worker group waits for: bundles, label, and free amounts.

    Args:
        nodes: The live nodes with their total resources.
        resources: Resources of the worker group.
        free: The same nodes with their available resources.
    """
    one = resources.model_copy(update={"ranks": 1})
    missing = max(1, resources.ranks - sum(room([node], one) for node in free))
    of = "" if resources.ranks == 1 else f" of {resources.ranks}"
    bundle = ", ".join(f"{name}: {count:g}" for name, count in demand(resources).items())
    labels = ", ".join(f"{key}={value}" for key, value in resources.labels.items())
    wanted = f"{missing}{of} bundle{_s(missing)} of {{{bundle}}}"
    wanted += f" with label {labels}" if labels else ""
    return f"waits for {wanted}: {_supply(nodes, resources, free)}"


def _supply(
    nodes: Sequence[ClusterNode], resources: ResourcesSpec, free: Sequence[ClusterNode]
) -> str:
    with_label = [i for i, node in enumerate(nodes) if labelled(node.labels, resources.labels)]
    if not with_label:
        return "no node has that label" if nodes else "the cluster has no nodes"
    parts = []
    for name in demand(resources):
        has = sum(nodes[i].resources.get(name, 0.0) for i in with_label)
        left = sum(free[i].resources.get(name, 0.0) for i in with_label)
        parts.append(f"{_short(left)} of {_short(has)} {name}s")
    return f"{', '.join(parts)} free on {len(with_label)} node{_s(len(with_label))}"


def demand(resources: ResourcesSpec) -> dict[str, float]:
    """Return the resource bundle of one worker, by Ray's names."""
    bundle = {"CPU": resources.cpus_per_rank, "GPU": resources.gpus_per_rank}
    return {name: count for name, count in bundle.items() if count}


def _short(count: float) -> str:
    return f"{math.floor(count * 100 + 1e-6) / 100:g}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
