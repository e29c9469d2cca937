"""The pool of worker groups by slot: requests for resources, replacement and waiting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from paretoflow.core.errors import ClusterError, ParetoflowError, WorkerError
from paretoflow.engine.cluster.admission import Queue, pause_s, waits_for
from paretoflow.engine.cluster.capacity import shortfall
from paretoflow.engine.groups.discovery import WorkerGroupFactory, WorkerGroupName
from paretoflow.engine.groups.transport import Transport
from paretoflow.engine.groups.worker_group import WorkerGroup
from paretoflow.engine.groups.worker_handle import GroupOptions
from paretoflow.engine.live import GroupPhase, GroupState
from paretoflow.engine.messages import Failure
from paretoflow.spec.engine import EngineSpec, ResourcesSpec

START_FAILURES = 3
"""Number of worker groups in a row that a slot may lose before they have loaded."""
LOOK_S = 2.0
"""Interval of reading free resources and draining nodes from the cluster, in seconds."""
JOIN_S = 5.0
"""Longest time for the nodes of a starting cluster to join, in seconds."""
UNKNOWN_S = 30.0
"""Interval of searching for groups that an earlier driver requested during the takeover, in
seconds.
"""


class WorkerGroupPool:
    """The worker groups of a driver by slot.

    Attributes:
        closing: Whether the sweep stops: no further worker group is requested.
    """

    def __init__(
        self, engine: EngineSpec, factory: WorkerGroupFactory, transport: Transport
    ) -> None:
        self._engine = engine
        self._factory = factory
        self._transport = transport
        self._monotonic = transport.monotonic
        self._groups: dict[int, WorkerGroup] = {}
        self._names: dict[int, WorkerGroupName] = {}
        self._queue = Queue(engine.resources.ranks > 1, engine.limits.wait_s)
        self._start_failures: dict[int, int] = {}
        self._errors: dict[int, ParetoflowError | Failure] = {}
        self._options: GroupOptions | None = None
        self._looked_s = self._unknown_s = 0.0
        self._reason = ""
        self.closing = False

    def __iter__(self) -> Iterator[WorkerGroup]:
        """Iterate over the existing worker groups; they may be replaced meanwhile."""
        return iter(list(self._groups.values()))

    @property
    def loaded(self) -> bool:
        """Check whether any worker group has loaded."""
        return any(all(m.loaded for m in g.workers) for g in self)

    @property
    def error(self) -> ParetoflowError | Failure | None:
        """Return the error of a slot whose last worker group failed to start; None if none did."""
        return next(iter(self._errors.values()), None)

    def fill(self, options: GroupOptions) -> None:
        """Take over the groups that an earlier driver left, and queue requests for missing ones.

        Raises:
            ClusterError: If there are no groups, and the cluster cannot hold any.
            FencedError: If a newer driver owns the groups.
        """
        self._options = options
        adopted = {} if self._transport.private else self._factory.adopt(options)
        for name, group in adopted.items():
            self._groups[group.slot], self._names[group.slot] = group, name
        if not self._groups:
            require_room(self._engine.resources, self._transport)
        for slot in range(self._engine.worker_groups):
            if slot not in self._groups:
                self._queue.enter(slot, 0.0)
        self.admit()

    def admit(self) -> None:
        """Start the requests whose turn it is; withdraw requests that take too long."""
        if self.closing or self._options is None:
            return
        now = self._monotonic()
        for slot in self._queue.late(now):
            self._groups.pop(slot).dismiss()
            del self._names[slot]
        for slot in self._queue.next(now):
            self._names[slot], self._groups[slot] = self._factory.create(slot, self._options)

    def placed(self, group: WorkerGroup) -> None:
        """Record that a worker group has its resources, and whether it has started."""
        self._queue.admitted(group.slot)
        if group.phase in (GroupPhase.IDLE, GroupPhase.BUSY):
            self._start_failures.pop(group.slot, None)
            self._errors.pop(group.slot, None)

    def replace(self, group: WorkerGroup) -> None:
        """End a group and put its slot back into the queue, with a pause after failed starts."""
        group.dismiss()
        del self._groups[group.slot], self._names[group.slot]
        self._queue.admitted(group.slot)
        pause = pause_s(self._start_failures.get(group.slot, 0))
        self._queue.enter(group.slot, self._monotonic() + pause)

    def record_start_failure(self, slot: int, error: ParetoflowError | Failure) -> None:
        """Count a worker group that failed to start.

        Raises:
            ParetoflowError: The error of the last worker group, once all slots have failed too
                often.
        """
        self._start_failures[slot] = self._start_failures.get(slot, 0) + 1
        self._errors[slot] = error
        hopeless = all(
            self._start_failures.get(s, 0) >= START_FAILURES for s in [slot, *self._groups]
        )
        if hopeless and not self.loaded and not self.closing:
            if isinstance(error, ParetoflowError):
                raise error
            raise WorkerError(f"no worker gets to work: {error.message}", code="worker-start")

    def check_cluster(self) -> None:
        """Check at intervals for draining nodes, and for worker groups of other drivers.

        Raises:
            FencedError: If a newer driver has worker groups.
            WorkerError: If the local Ray has lost its only node, which nothing replaces.
        """
        now = self._monotonic()
        if self._options is None or now - self._looked_s < LOOK_S:
            return  # a driver may wait for storage before it has taken groups over
        self._looked_s, self._reason = now, ""
        if self._transport.private:
            if not self._transport.nodes()[0]:
                raise WorkerError(
                    "the local Ray has lost its node: its raylet was killed, perhaps for want of "
                    "memory; the same command starts another and goes on",
                    code="worker-died",
                )
            return
        draining = self._transport.draining()
        for group in self if draining else ():
            if group.nodes & draining.keys():
                group.drain("the node is to be taken back")
        if now - self._unknown_s > UNKNOWN_S:
            self._unknown_s = now
            self._factory.remove_unknown(set(self._names.values()), self._options.epoch)

    def states(self) -> list[GroupState]:
        """Return the state of every worker group; waiting ones name the missing resources."""
        return [self._state(slot) for slot in range(self._engine.worker_groups)]

    def _state(self, slot: int) -> GroupState:
        group = self._groups.get(slot)
        if group is not None and group.phase is not GroupPhase.WAITING:
            return group.state()
        if group is None and slot in self._errors:
            error = self._errors[slot]
            words = error.message if isinstance(error, Failure) else str(error)
            return GroupState(
                slot, GroupPhase.WAITING, self._transport.time(), reason=f"to try again: {words}"
            )
        if not self._reason:
            whole, free = self._transport.nodes()
            self._reason = waits_for(whole, self._engine.resources, free)
        if group is None:
            return GroupState(slot, GroupPhase.WAITING, self._transport.time(), reason=self._reason)
        return replace(group.state(), reason=self._reason)

    def dismiss(self) -> None:
        """End all worker groups."""
        for group in self:
            group.dismiss()
        self.forget()

    def forget(self) -> None:
        """Forget all worker groups and leave them running."""
        self._groups.clear()
        self._names.clear()


def require_room(resources: ResourcesSpec, transport: Transport) -> None:
    """Refuse a cluster on which no group can ever fit; wait `JOIN_S` for nodes that still join.

    Raises:
        ClusterError: If no group fits, and no autoscaler reports that it can add nodes.
    """
    until_s = transport.monotonic() + JOIN_S
    while lacking := shortfall(transport.nodes()[0], resources):
        if transport.may_grow():
            return
        if transport.monotonic() > until_s:
            raise ClusterError(
                lacking,
                "engine.resources",
                "ask for less, or add nodes that have it to the cluster",
                code="cluster-too-small",
            )
        transport.sleep(0.5)
