"""The protocol of a transport, the system that runs the processes of worker groups.

`engine.ray.transport` implements it with Ray. The unit tests of the worker groups implement it with
workers that are moved by hand. A transport belongs to one driver: it places the resources of one
sweep, starts and finds its workers by name, forwards calls, and waits for replies.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from paretoflow.engine.cluster.dashboard import ClusterNode
from paretoflow.engine.groups.worker import WorkerConfig
from paretoflow.engine.messages import Failure

Actor = Any
"""A handle of a worker; drivers pass it back and do not read it."""
Placement = Any
"""A handle of the resources of one worker group."""
Reply = Any
"""A handle of the future result of a call; it can be hashed and compared."""


class CallError(Exception):
    """A call without an answer: the worker is gone, or was out of reach.

    Args:
        message: Description of the error.
        failure_of: Returns the failure of the run that the worker trains, by run id.
        unreachable: Whether the worker may still exist; it is unknown if the call arrived.
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
        """Return the seconds of a clock that is never adjusted."""
        ...

    def time(self) -> float:
        """Return seconds since the epoch."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait for a number of seconds."""
        ...


class Transport(Clock, Protocol):
    """Runs worker processes; see the module. One thread, except in `within`.

    Attributes:
        private: Whether this process owns the cluster: workers end with it, and there are no
            earlier workers to find and no nodes to lose.
    """

    private: bool

    def place(self, name: str, *, one_node: bool) -> Placement:
        """Request the resources of one worker group.

        Args:
            name: Name of the group; `found` returns it.
            one_node: Whether one node can and must hold the whole group.
        """
        ...

    def placed(self, placement: Placement) -> Reply:
        """Return the reply that arrives once the resources are available."""
        ...

    def start(self, name: str, config: WorkerConfig, placement: Placement | None) -> Actor:
        """Start a worker in its rank's share of a placement, once the resources are available.

        Args:
            name: Name of the worker; `found` returns it.
            config: Configuration of the worker.
            placement: The placement; None for a worker that holds no resources.
        """
        ...

    def found(self) -> tuple[Mapping[str, Actor], Mapping[str, Placement]]:
        """Return the sweep's live workers and placements by name, from all of its drivers."""
        ...

    def call(self, actor: Actor, method: str, *args: object) -> Reply:
        """Call a method of a worker, in parallel to its work; return at once."""
        ...

    def wait(self, replies: Collection[Reply], timeout_s: float) -> set[Reply]:
        """Wait until one of the replies has arrived; return all that have."""
        ...

    def wait_for_all(self, replies: Collection[Reply], timeout_s: float) -> set[Reply]:
        """Wait until all of the replies have arrived; return those that have."""
        ...

    def result(self, reply: Reply) -> Any:
        """Return the result of a call.

        Raises:
            ParetoflowError: If the call raised it.
            CallError: If the worker is gone or out of reach, or raised any other error.
        """
        ...

    def kill(self, actor: Actor) -> None:
        """End a worker's process."""
        ...

    def remove(self, placement: Placement) -> None:
        """Release the resources of a worker group; processes in them end."""
        ...

    def nodes(self) -> tuple[list[ClusterNode], list[ClusterNode]]:
        """Return the live nodes with total resources, and with available resources."""
        ...

    def draining(self) -> Mapping[str, int]:
        """Return the ids of the nodes that will be taken away, with deadlines."""
        ...

    def may_grow(self) -> bool:
        """Check whether the cluster reports that it can add nodes."""
        ...

    def within(self, seconds: float, work: Callable[[], object]) -> bool:
        """Do work that calls the cluster; return whether the cluster answered in time.

        Raises:
            Exception: An exception of the work, except errors of the cluster.
        """
        ...

    def disconnect(self) -> None:
        """Leave the cluster; a private cluster ends."""
        ...

    def abandon(self, status: Callable[[], int]) -> None:
        """Leave a cluster that does not answer any more.

        Args:
            status: Returns the exit status of this process, in case no orderly end is possible.
        """
        ...
