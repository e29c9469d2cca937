"""A transport on Ray: workers are actors in placement groups, found by name."""

from __future__ import annotations

import atexit
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import ray
from ray._private.worker import shutdown
from ray.exceptions import ActorUnavailableError, RayError, RayTaskError
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from paretoflow.core.errors import ParetoflowError
from paretoflow.engine.cluster.admission import demand
from paretoflow.engine.cluster.dashboard import ClusterNode
from paretoflow.engine.cluster.nodes import draining_nodes, groups_named, may_grow, read_nodes
from paretoflow.engine.groups.discovery import namespace_of, threads_of
from paretoflow.engine.groups.transport import CallError
from paretoflow.engine.groups.worker import WorkerConfig
from paretoflow.engine.ray.connect import join, start_local
from paretoflow.engine.ray.errors import loss_of
from paretoflow.engine.ray.worker_actor import RayWorker
from paretoflow.spec.sweep import SweepSpec

CALLS = "calls"
"""Concurrency group of the actors' methods: they answer in parallel to the work."""
_CALL_THREADS = 8
MOST_LATE_S = 0.05
"""Longest time that the driver waits for more replies after the first, in seconds."""


class RayTransport:
    """A transport on Ray, see `groups.transport`; connects to Ray at once.

    Args:
        uri: The sweep's folder.
        address: A running cluster; None starts a local Ray that ends with this process.

    Raises:
        ClusterError: If the cluster cannot be joined.
    """

    def __init__(self, spec: SweepSpec, uri: str, address: str | None) -> None:
        self._joined = not ray.is_initialized()
        self.private = address is None and self._joined
        self._resources = spec.engine.resources
        self._namespace = namespace_of(uri, spec.name)
        self._lifetime = {} if self.private else {"lifetime": "detached"}
        supervised = spec.engine.launcher == "train"
        threads = str(threads_of(spec))
        self._actor_class = ray.remote(
            num_cpus=0 if supervised else self._resources.cpus_per_rank,
            num_gpus=0 if supervised else self._resources.gpus_per_rank,
            max_restarts=0,
            namespace=self._namespace,
            concurrency_groups={CALLS: _CALL_THREADS},
            runtime_env={
                "env_vars": {"OMP_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false"}
            },
            **self._lifetime,
        )(RayWorker)
        if self.private:
            start_local(spec.engine, self._namespace)
        elif self._joined:
            assert address is not None
            join(address, self._namespace)

    def monotonic(self) -> float:
        """Return the seconds of a clock that is never adjusted."""
        return time.monotonic()

    def time(self) -> float:
        """Return seconds since the epoch, by this machine's clock."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait for a number of seconds."""
        time.sleep(seconds)

    def place(self, name: str, *, one_node: bool) -> Any:
        """Request a placement group with a bundle for each worker."""
        resources = self._resources
        return ray.util.placement_group(
            [demand(resources)] * resources.ranks,
            strategy="STRICT_PACK" if one_node else "PACK",
            name=f"{self._namespace}/{name}",
            bundle_label_selector=[resources.labels] * resources.ranks,
            **self._lifetime,
        )

    def placed(self, placement: Any) -> Any:
        """Return Ray's handle of a group's placement."""
        return placement.ready()

    def start(self, name: str, config: WorkerConfig, placement: Any) -> Any:
        """Start an actor in its rank's bundle, or on any node if it has no placement."""
        where: Any = "SPREAD"
        if placement is not None:
            where = PlacementGroupSchedulingStrategy(
                placement, placement_group_bundle_index=config.parallel.rank
            )
        return self._actor_class.options(name=name, scheduling_strategy=where).remote(config)

    def found(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the named actors of the sweep's namespace, and its placement groups."""
        actors = {}
        for row in ray.util.list_named_actors(all_namespaces=True):
            if row["namespace"] == self._namespace:
                try:
                    actors[row["name"]] = ray.get_actor(row["name"], self._namespace)
                except ValueError:  # it ended after it was listed
                    continue
        prefix = f"{self._namespace}/"
        placements = groups_named(prefix)
        return actors, {key.removeprefix(prefix): each for key, each in placements.items()}

    def call(self, actor: Any, method: str, *args: object) -> Any:
        """Call a method of an actor in parallel to its work."""
        return getattr(actor, method).options(concurrency_group=CALLS).remote(*args)

    def wait(self, replies: Collection[Any], timeout_s: float) -> set[Any]:
        """Wait for any of Ray's handles; return those with an answer."""
        if not replies:
            time.sleep(min(timeout_s, 0.5))
            return set()
        refs = list(replies)
        ready, _ = ray.wait(refs, num_returns=1, timeout=timeout_s, fetch_local=False)
        if ready:
            time.sleep(min(MOST_LATE_S, len(refs) / 20_000))  # more replies may follow at once
            ready, _ = ray.wait(refs, num_returns=len(refs), timeout=0, fetch_local=False)
        return set(ready)

    def wait_for_all(self, replies: Collection[Any], timeout_s: float) -> set[Any]:
        """Wait for all of Ray's handles; return those with an answer."""
        refs = list(replies)
        ready, _ = ray.wait(refs, num_returns=len(refs), timeout=timeout_s, fetch_local=False)
        return set(ready)

    def result(self, reply: Any) -> Any:
        """Return the result of a call.

        Raises:
            ParetoflowError: If the call raised it.
            CallError: If the actor is gone, or raised any other error.
        """
        try:
            return ray.get(reply)
        except RayError as error:
            cause = getattr(error, "cause", None)
            if isinstance(error, RayTaskError) and isinstance(cause, ParetoflowError):
                raise cause from error
            unreachable = isinstance(error, ActorUnavailableError)
            raise CallError(str(error), partial(loss_of, error), unreachable=unreachable) from error

    def kill(self, actor: Any) -> None:
        """End an actor's process."""
        ray.kill(actor, no_restart=True)

    def remove(self, placement: Any) -> None:
        """Release a placement group's resources."""
        ray.util.remove_placement_group(placement)

    def nodes(self) -> tuple[list[ClusterNode], list[ClusterNode]]:
        """Return the live nodes with total resources, and with available resources."""
        return read_nodes()

    def draining(self) -> Mapping[str, int]:
        """Return the ids of the nodes that will be taken away."""
        return draining_nodes()

    def may_grow(self) -> bool:
        """Check whether an autoscaler reports that it can add nodes."""
        return may_grow()

    def within(self, seconds: float, work: Callable[[], object]) -> bool:
        """Do work that calls Ray; return whether Ray answered in time.

        The work is done in a thread, which continues after the timeout.

        Raises:
            Exception: An exception of the work, except errors of Ray itself.
        """
        outcome: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

        def labour() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                outcome.put(error)
            else:
                outcome.put(None)

        threading.Thread(target=labour, name="asks-ray", daemon=True).start()
        try:
            error = outcome.get(timeout=seconds)
        except queue.Empty:
            return False
        if error is not None and not isinstance(error, RayError | CallError):
            raise error
        return error is None

    def disconnect(self) -> None:
        """Leave the cluster, if this process joined it for the sweep; a local Ray ends."""
        if self._joined:
            ray.shutdown()

    def abandon(self, status: Callable[[], int]) -> None:
        """Leave a head that is gone.

        At any further call, Ray would wait a minute for the head and then end this process.
        """
        atexit.unregister(shutdown)
        atexit.register(_end_at_once, status)


def _end_at_once(status: Callable[[], int]) -> None:
    """End this process without the end of Ray's own code, which would crash."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status())
