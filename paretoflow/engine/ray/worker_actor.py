"""One rank of a group: a process that keeps the base loaded and trains one launch after another.

It trains in a thread of its own, so that it answers its driver meanwhile. Every command carries the
driver's epoch; what an older driver sends is refused. Without a driver for a stated time it saves
its run and gives the worker group's resources back.
"""

from __future__ import annotations

import functools
import importlib
import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import ray

from paretoflow.core.errors import ClusterError
from paretoflow.core.launch import Launch
from paretoflow.core.protocols import Parallel
from paretoflow.core.values import Problem
from paretoflow.engine.failures.attribution import error_in
from paretoflow.engine.runtime.mailbox import LoadResult, Mailbox, PollReply, PollRequest
from paretoflow.engine.runtime.protocols import RunExecutor
from paretoflow.ledger.tables import Event
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import as_folder

SAVE_S = 600.0
"""Longest time that an orphan takes to save its run before its resources go back anyway."""
_LOOK_S = 1.0


@dataclass(frozen=True)
class WorkerConfig:
    """What a rank is started with.

    Args:
        spec: The resolved spec as plain JSON values.
        root: Path or URI of the sweep's folder.
        executor: Import path of what it keeps loaded, `module:Class`.
        threads: CPU threads.
        parallel: Its place in the worker group.
        epoch: The driver that starts it.
    """

    spec: dict[str, Any]
    root: str
    executor: str
    threads: int
    parallel: Parallel
    epoch: int


@dataclass(frozen=True)
class WorkerLocation:
    """Where a rank runs: Ray's id of the node, the node's address, its process there."""

    node_id: str
    address: str
    pid: int


class Worker:
    """The actor. Its methods return at once, but for `poll`; all run beside the work."""

    def __init__(self, config: WorkerConfig) -> None:
        self._config = config
        self._spec = SweepSpec.model_validate(config.spec)
        self._mailbox = Mailbox(config.epoch, self._spec.engine.limits.orphan_s)
        self._executor: RunExecutor | None = None
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._jobs.put(self._warm_up)
        signal.signal(signal.SIGTERM, self._on_notice)
        for loop in (self._work_loop, self._watch):
            threading.Thread(target=loop, name=loop.__name__, daemon=True).start()

    def poll(self, call: PollRequest) -> PollReply:
        """Return what is new; see `Mailbox.poll`."""
        return self._mailbox.poll(call)

    def location(self) -> WorkerLocation:
        """Return where this rank runs."""
        context = ray.get_runtime_context()
        return WorkerLocation(context.get_node_id(), ray.util.get_node_ip_address(), os.getpid())

    def meeting_point(self) -> tuple[str, int]:
        """Return an address and a free port of this rank's node, for all ranks to meet at."""
        with socket.socket() as probe:
            probe.bind(("", 0))
            port: int = probe.getsockname()[1]
        return ray.util.get_node_ip_address(), port

    def load(self, epoch: int, problem: Problem | None, meeting: tuple[str, int] | None) -> None:
        """Load everything; without a calibration, do the shared stage.

        Ends in `LoadResult` in the outbox.

        Args:
            epoch: The driver's.
            problem: The frozen objectives; None to freeze them.
            meeting: Where the worker group's ranks meet; None for a rank that is alone.

        Raises:
            FencedError: If a newer driver has the worker group.
        """
        self._mailbox.check_epoch(epoch)
        self._mailbox.loading()
        if meeting is not None:
            os.environ.update(_rendezvous(self._config.parallel, meeting))
        self._jobs.put(lambda: self._load(problem))

    def begin(self, epoch: int, launch: Launch) -> None:
        """Start an attempt; it ends in a report in the outbox.

        Raises:
            FencedError: If a newer driver has the worker group.
            WorkerError: If the rank is at work already.
            RunInterrupted: If it leaves.
        """
        self._mailbox.check_epoch(epoch)
        self._mailbox.begin(launch)
        self._jobs.put(lambda: self._execute(launch))

    def suspend(self, epoch: int, run_id: str, attempt: int, why: str) -> None:
        """Pause a run, if it is still in training.

        Raises:
            FencedError: If a newer driver has the worker group.
        """
        self._mailbox.check_epoch(epoch)
        self._mailbox.suspend(run_id, attempt, why)

    def drain(self, epoch: int, reason: str) -> None:
        """Save what is in training and take nothing more.

        Raises:
            FencedError: If a newer driver has the worker group.
        """
        self._mailbox.check_epoch(epoch)
        self._mailbox.drain(reason)

    def consult(self, method: str, *args: object) -> Any:
        """Pass a call on to the executor, from a process that works for it elsewhere."""
        return getattr(self._executor, method)(*args)

    def _work_loop(self) -> None:
        try:
            while True:
                self._jobs.get()()
        finally:  # whatever ended this thread, a rank that cannot work must not look alive
            os._exit(1)

    def _warm_up(self) -> None:
        """Import the training libraries while another rank does the shared stage."""
        error_in(self._factory)

    def _factory(self) -> Callable[..., RunExecutor]:
        module, _, name = self._config.executor.partition(":")
        found: Callable[..., RunExecutor] = getattr(importlib.import_module(module), name)
        if self._spec.engine.launcher == "core":
            return found
        launcher = importlib.import_module("paretoflow.engine.ray.train_launcher")
        return functools.partial(launcher.RayTrainExecutor, executor=self._config.executor)

    def _load(self, problem: Problem | None) -> None:
        events: list[Event] = []

        def work() -> None:
            _require_storage(self._config)
            if self._executor is None:
                given = self._config
                self._executor = self._factory()(
                    self._spec, given.root, given.threads, given.parallel
                )
            if problem is None:
                events.extend(self._executor.prepare(self._mailbox))
            else:
                events.extend(self._executor.ready(problem, self._mailbox) or ())

        error = error_in(work)
        self._mailbox.loaded(LoadResult(tuple(events), error))

    def _execute(self, launch: Launch) -> None:
        assert self._executor is not None
        failure = self._executor.execute(launch, self._mailbox)
        self._mailbox.ended(failure)

    def _on_notice(self, *_: object) -> None:
        self._mailbox.drain("the worker was told to end (SIGTERM)")

    def _watch(self) -> None:
        while not (reason := self._mailbox.deserted()):
            time.sleep(_LOOK_S)
        self._mailbox.drain(reason)
        self._mailbox.wait_until_still(SAVE_S)
        if self._config.parallel.rank != 0:  # the first rank writes, so it is the last to go
            time.sleep(SAVE_S)
        group = ray.util.get_current_placement_group()
        if group is None:  # a supervisor: what it started ends with it
            os._exit(0)
        ray.util.remove_placement_group(group)


def _require_storage(config: WorkerConfig) -> None:
    """Refuse a machine that does not see what the others write.

    Raises:
        ClusterError: If the sweep's folder is not there, or the ranks of a worker group have none
            in common.
    """
    folder, here = as_folder(config.root), ray.util.get_node_ip_address()
    if folder.local is not None and not folder.local.is_dir():
        raise ClusterError(
            f"node {here} does not see the sweep's folder {folder}",
            "storage",
            "use a folder that every node mounts at the same path, or an object store",
            code="cluster-storage",
        )
    if folder.local is None and os.environ.get("MASTER_ADDR", here) != here:
        raise ClusterError(
            f"a worker group on several nodes cannot train with storage {folder}: its ranks save "
            "their state together, in one folder",
            "storage",
            "use a folder that every node mounts, or worker groups that fit one node",
            code="cluster-storage",
        )


def _rendezvous(parallel: Parallel, meeting: tuple[str, int]) -> Mapping[str, str]:
    """Return the environment that torch's process groups start from.

    Ray shows each rank its own GPU alone, so every rank is the first on its machine.
    """
    address, port = meeting
    return {
        "RANK": str(parallel.rank),
        "WORLD_SIZE": str(parallel.ranks),
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "1",
        "MASTER_ADDR": address,
        "MASTER_PORT": str(port),
    }
