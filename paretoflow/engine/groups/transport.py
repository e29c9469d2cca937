"""What worker groups need of the system that runs their processes: the one seam below them.

`engine.ray.transport` puts them on Ray. The chaos tests put them on a cluster in virtual time that
loses calls, processes and nodes (`tests/virtual`). A transport is one driver's: it places the
resources of one sweep, starts and finds its workers by name, passes calls on, and waits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from paretoflow.engine.cluster.dashboard import ClusterNode
from paretoflow.engine.groups.worker import WorkerConfig
from paretoflow.engine.messages import Failure

Actor = Any
"""A handle of a worker; drivers pass it back and never look inside."""
Placement = Any
"""A handle of the resources of one worker group."""
Reply = Any
"""A handle of what a call will bring; it can be hashed and compared."""


class CallError(Exception):
    """A call brought no answer: the worker is gone, or was out of reach.

    Args:
        message: What happened.
        failure_of: Returns what it means for the run that the worker trains, by run id.
        unreachable: Whether the worker may still be there: nobody knows if the call arrived.
    """

    def __init__(
        self, message: str, failure_of: Callable[[str], Failure], *, unreachable: bool = False
    ) -> None:
        super().__init__(message)
        self.failure_of = failure_of
        self.unreachable = unreachable


class Clock(Protocol):
    """The time of a driver."""

    def monotonic(self) -> float:
        """Return seconds that nobody sets."""
        ...

    def time(self) -> float:
        """Return seconds since the epoch."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...


class Transport(Clock, Protocol):
    """See the module. One thread, but for `within`.

    Attributes:
        private: Whether this process has the cluster to itself: workers end with it, and nothing
            is found there or taken away.
    """

    private: bool

    def place(self, name: str, *, one_node: bool) -> Placement:
        """Ask for the resources of one worker group.

        Args:
            name: Of the group; `found` returns it.
            one_node: Whether a node can hold all of it, and is to.
        """
        ...

    def placed(self, placement: Placement) -> Reply:
        """Return the reply that comes once the resources are there."""
        ...

    def start(self, name: str, config: WorkerConfig, placement: Placement | None) -> Actor:
        """Start a worker in its rank's share of a placement, once that is placed.

        Args:
            name: Of the worker; `found` returns it.
            config: What it is started with.
            placement: None for a worker that holds no resources.
        """
        ...

    def found(self) -> tuple[Mapping[str, Actor], Mapping[str, Placement]]:
        """Return the sweep's living workers and its placements by name, whoever asked for them."""
        ...

    def call(self, actor: Actor, method: str, *args: object) -> Reply:
        """Call a method of a worker, beside its work; return at once."""
        ...

    def wait(self, replies: Collection[Reply], timeout_s: float) -> set[Reply]:
        """Wait until one of the replies is there; return all that are."""
        ...

    def wait_for_all(self, replies: Collection[Reply], timeout_s: float) -> set[Reply]:
        """Wait until all of the replies are there; return those that are."""
        ...

    def result(self, reply: Reply) -> Any:
        """Return what a call returned.

        Raises:
            ParetoflowError: What it raised.
            CallError: If the worker is gone or out of reach, or raised anything else.
        """
        ...

    def kill(self, actor: Actor) -> None:
        """End a worker's process."""
        ...

    def remove(self, placement: Placement) -> None:
        """Give the resources of a worker group back; what runs in them ends."""
        ...

    def nodes(self) -> tuple[list[ClusterNode], list[ClusterNode]]:
        """Return the living nodes with all that they have, and the same with what is free now."""
        ...

    def draining(self) -> Mapping[str, int]:
        """Return the ids of the nodes that are to be taken away, with deadlines."""
        ...

    def may_grow(self) -> bool:
        """Return whether the cluster says that it can add nodes."""
        ...

    def within(self, seconds: float, work: Callable[[], object]) -> bool:
        """Do work that asks the cluster; return whether that answered, and in time.

        Raises:
            Exception: What the work raised, but for what the cluster did.
        """
        ...

    def disconnect(self) -> None:
        """Let go of the cluster; one of this process' own ends."""
        ...

    def abandon(self, status: Callable[[], int]) -> None:
        """Let go of a cluster that does not answer any more.

        Args:
            status: Returns the exit status of this process, should no orderly end be left to it.
        """
        ...
