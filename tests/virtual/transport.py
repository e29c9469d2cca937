"""The transport of one driver on a virtual cluster; see `groups.transport`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from paretoflow.core.errors import WorkerError
from paretoflow.engine.cluster.dashboard import ClusterNode
from paretoflow.engine.failures.attribution import failure_of
from paretoflow.engine.groups.transport import CallError
from paretoflow.engine.groups.worker import WorkerConfig
from paretoflow.engine.messages import Failure
from tests.virtual.cluster import VirtualCluster, VirtualPlacement
from tests.virtual.process import Process

BEGAN_S = 1.7e9
"""What the clock on the wall shows when virtual time begins."""
UNREACHABLE = failure_of(WorkerError("the worker was out of reach"))


class VirtualReply:
    """What a call will bring."""

    __slots__ = ("error", "there", "value")

    def __init__(self) -> None:
        self.there = False
        self.value: Any = None
        self.error: Exception | None = None


class VirtualTransport:
    """See the module.

    Args:
        meet: Called with the name of everything that the driver does: it may be killed there.
    """

    private = False

    def __init__(
        self, cluster: VirtualCluster, meet: Callable[[str], None] = lambda what: None
    ) -> None:
        self._cluster, self._meet = cluster, meet
        self._time = cluster.time
        self._woken = False

    def monotonic(self) -> float:
        return self._time.now_s

    def time(self) -> float:
        return self._time.now_s

    def sleep(self, seconds: float) -> None:
        self._meet("sleep")
        self._time.run_to(self._time.now_s + seconds)

    def place(self, name: str, *, one_node: bool) -> VirtualPlacement:
        self._meet("place")
        return self._cluster.place(name, one_node=one_node)

    def placed(self, placement: VirtualPlacement) -> VirtualReply:
        reply = VirtualReply()
        placement.waiting.append(partial(self._settle, reply, placement, None))
        return reply

    def start(self, name: str, config: WorkerConfig, placement: Any) -> Process:
        self._meet("start")
        return self._cluster.start(name, config, placement)

    def found(self) -> tuple[Mapping[str, Process], Mapping[str, VirtualPlacement]]:
        self._meet("found")
        return dict(self._cluster.processes), dict(self._cluster.placements)

    def call(self, actor: Process, method: str, *args: object) -> VirtualReply:
        self._meet(method)
        reply = VirtualReply()
        befalls = partial(self._cluster.befalls, times=1.0 if method == "poll" else 5.0)
        answer: Callable[[Any, Exception | None], None] = partial(self._answered, actor, reply)
        if befalls("swallow"):
            return reply
        if befalls("lose_call"):
            self._time.plan(1.0, partial(self._settle, reply, None, _unreachable()))
            return reply
        if befalls("lose_reply"):
            self._time.plan(1.0, partial(self._settle, reply, None, _unreachable()))
            answer = _nobody
        self._deliver(actor, partial(actor.deliver, method, args, answer))
        return reply

    def _deliver(self, actor: Process, act: Callable[[], None]) -> None:
        """Let a message pass between a driver and a worker, in either direction."""
        faults = self._cluster.faults
        late_s = self._cluster.drawn_s(faults.late_s)
        if self._cluster.befalls("very_late"):
            late_s *= 100.0
        now_s = self._time.now_s

        def arrive() -> None:
            if actor.cut_until_s > self._time.now_s:
                self._time.plan(actor.cut_until_s - self._time.now_s, arrive)
            else:
                act()

        self._time.plan(max(late_s, actor.cut_until_s - now_s), arrive)

    def _answered(
        self, actor: Process, reply: VirtualReply, value: Any, error: Exception | None
    ) -> None:
        if value is None and error is None and actor.failure is not None:
            error = _gone(actor.failure)
        self._deliver(actor, partial(self._settle, reply, value, error))

    def _settle(self, reply: VirtualReply, value: Any, error: Exception | None) -> None:
        if not reply.there:
            reply.there, reply.value, reply.error = True, value, error
            self._woken = True

    def wait(self, replies: Collection[VirtualReply], timeout_s: float) -> set[VirtualReply]:
        self._meet("wait")
        self._woken = any(reply.there for reply in replies)
        self._time.run_until(lambda: self._woken, self._time.now_s + timeout_s)
        return {reply for reply in replies if reply.there}

    def wait_for_all(
        self, replies: Collection[VirtualReply], timeout_s: float
    ) -> set[VirtualReply]:
        self._meet("wait_for_all")
        until_s = self._time.now_s + timeout_s
        self._time.run_until(lambda: all(reply.there for reply in replies), until_s)
        return {reply for reply in replies if reply.there}

    def result(self, reply: VirtualReply) -> Any:
        if reply.error is not None:
            raise reply.error
        return reply.value

    def kill(self, actor: Process) -> None:
        self._meet("kill")
        actor.kill()

    def remove(self, placement: VirtualPlacement) -> None:
        self._meet("remove")
        placement.doomed = True
        late_s = self._cluster.drawn_s(self._cluster.faults.late_s)
        self._time.plan(late_s, partial(self._cluster.remove, placement))

    def nodes(self) -> tuple[list[ClusterNode], list[ClusterNode]]:
        return self._cluster.nodes()

    def draining(self) -> Mapping[str, int]:
        return self._cluster.draining()

    def may_grow(self) -> bool:
        return True  # nodes that are lost come back

    def within(self, seconds: float, work: Callable[[], object]) -> bool:
        try:
            work()
        except CallError:
            return False
        return True

    def disconnect(self) -> None: ...

    def abandon(self, status: Callable[[], int]) -> None: ...


def _nobody(value: Any, error: Exception | None) -> None:
    """Take an answer that does not come back."""


def _gone(failure: Failure) -> CallError:
    return CallError(failure.message, lambda run_id: failure)


def _unreachable() -> CallError:
    return CallError("out of reach", lambda run_id: UNREACHABLE, unreachable=True)
