"""A worker as a Ray actor: its threads, its node, and its end."""

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

import ray

from paretoflow.core.errors import ClusterError
from paretoflow.core.protocols import Parallel
from paretoflow.engine.failures.attribution import error_in
from paretoflow.engine.groups.worker import Job, Worker, WorkerConfig, WorkerLocation
from paretoflow.engine.runtime.protocols import RunExecutor
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import as_folder


class RayWorker(Worker):
    """The actor. One thread does its jobs, one checks for a driver, and Ray's answer calls."""

    def __init__(self, config: WorkerConfig) -> None:
        host = RayHost(config)
        super().__init__(config, host)
        signal.signal(signal.SIGTERM, self._on_notice)
        for loop in (host.work_loop, self._watch_loop):
            threading.Thread(target=loop, name=loop.__name__, daemon=True).start()

    def _on_notice(self, *_: object) -> None:
        self.mailbox.drain("the worker was told to end (SIGTERM)")

    def _watch_loop(self) -> None:
        for pause_s in self.watch():
            time.sleep(pause_s)
        group = ray.util.get_current_placement_group()
        if group is None:  # a supervisor: the processes that it started end with it
            os._exit(0)
        ray.util.remove_placement_group(group)


class RayHost:
    """A Ray process that hosts a worker; see `groups.worker.Host`."""

    def __init__(self, config: WorkerConfig) -> None:
        self._config = config
        self._spec = SweepSpec.model_validate(config.spec)
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()

    def work_loop(self) -> None:
        """Do one job after another until the process ends."""
        try:
            error_in(self._factory)  # load libraries while another worker does the shared stage
            while True:
                job = self._jobs.get()
                job.done(job.work())
        finally:  # a worker whose thread has ended must not look alive
            os._exit(1)

    def now(self) -> float:
        """Return the seconds of a clock that is never adjusted."""
        return time.monotonic()

    def enqueue(self, job: Job) -> None:
        """Queue a job after the jobs before it."""
        self._jobs.put(job)

    def location(self) -> WorkerLocation:
        """Return the location of the process."""
        context = ray.get_runtime_context()
        return WorkerLocation(context.get_node_id(), ray.util.get_node_ip_address(), os.getpid())

    def meeting_point(self) -> tuple[str, int]:
        """Return an address and a free port of this node."""
        with socket.socket() as probe:
            probe.bind(("", 0))
            port: int = probe.getsockname()[1]
        return ray.util.get_node_ip_address(), port

    def meet(self, meeting: tuple[str, int]) -> None:
        """Set the environment variables of torch's process groups."""
        os.environ.update(_rendezvous(self._config.parallel, meeting))

    def executor(self) -> RunExecutor:
        """Build the worker's executor.

        Raises:
            ClusterError: If this machine does not see the files of the others.
        """
        given = self._config
        _require_storage(given)
        return self._factory()(self._spec, given.root, given.threads, given.parallel)

    def _factory(self) -> Callable[..., RunExecutor]:
        module, _, name = self._config.executor.partition(":")
        found: Callable[..., RunExecutor] = getattr(importlib.import_module(module), name)
        if self._spec.engine.launcher == "core":
            return found
        launcher = importlib.import_module("paretoflow.engine.ray.train_launcher")
        return functools.partial(launcher.RayTrainExecutor, executor=self._config.executor)


def _require_storage(config: WorkerConfig) -> None:
    """Refuse a machine that does not see the files of the others.

    Raises:
        ClusterError: If the sweep's folder is not there, or the workers of a group share none.
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
    """Return the environment variables of torch's process groups.

    Ray shows each worker only its own GPU, so every worker has local rank 0.
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
