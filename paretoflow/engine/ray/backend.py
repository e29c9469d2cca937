"""Execute runs on Ray: groups that outlive their driver on a cluster, or on this machine alone."""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import ray
from ray._private.worker import shutdown

from paretoflow.core.errors import FencedError, UserError
from paretoflow.core.launch import Launch
from paretoflow.core.values import Problem
from paretoflow.engine.cluster.nodes import read_nodes
from paretoflow.engine.live import GroupPhase, GroupState
from paretoflow.engine.messages import Report
from paretoflow.engine.ray.connect import join, start_local
from paretoflow.engine.ray.discovery import WorkerGroupFactory
from paretoflow.engine.ray.monitor import GroupMonitor
from paretoflow.engine.ray.pool import WorkerGroupPool
from paretoflow.engine.ray.transport import end_at_once, within
from paretoflow.engine.ray.worker_group import WorkerGroup
from paretoflow.engine.ray.worker_handle import GroupOptions, wait_s_of
from paretoflow.engine.runtime.protocols import EXECUTOR
from paretoflow.engine.state.events import problem_of
from paretoflow.ledger.tables import Event
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import Root, as_folder

SAVE_S = 20.0
"""How long open runs may take to save where they are when the sweep stops."""
ANSWER_S = 5.0
"""How long a head may take to answer before it is taken to be gone."""
DISMISS_S = 5.0
"""How long ending the worker groups may take, and the local Ray."""


class RayBackend:
    """See `Backend` for the contract.

    Args:
        root: The sweep's folder.
        address: A running cluster; None starts a local Ray that ends with this process.
        executor: Import path of what the ranks keep loaded.
        generation: How many changes of what scores depend on were accepted: worker groups that
            loaded before the latest are not taken over.

    Attributes:
        meanwhile: Called now and then while `prepare` waits.
        status: Returns the exit status of this process, should Ray leave it no orderly end.

    Raises:
        ClusterError: If the cluster cannot be joined.
    """

    def __init__(
        self,
        spec: SweepSpec,
        root: Root,
        address: str | None = None,
        *,
        executor: str = EXECUTOR,
        generation: int = 0,
    ) -> None:
        self._spec = spec
        self._folder = as_folder(root)
        self._joined = not ray.is_initialized()
        self._local = address is None and self._joined
        factory = WorkerGroupFactory(
            spec, self._folder.uri, executor, outliving=not self._local, generation=generation
        )
        self._pool = WorkerGroupPool(spec.engine, factory, alone=self._local)
        resources = spec.engine.resources
        alone = spec.engine.launcher == "train" or (resources.ranks, resources.zero) == (1, 0)
        self._options = GroupOptions(0, spec.engine.limits, wait_s_of(spec), alone)
        self._known: Problem | None = None
        self._lead: WorkerGroup | None = None
        self._stash: list[Report] = []
        self._closed = False
        self._began_s = time.time() - time.monotonic()
        self._monitor = GroupMonitor(self._folder, self._pool, self.now, alone=alone)
        self.meanwhile: Callable[[], None] = lambda: None
        self.status: Callable[[], int] = lambda: 1
        if self._local:
            start_local(spec.engine, factory.namespace)
        elif self._joined:
            assert address is not None
            join(address, factory.namespace)

    def adopt(self, epoch: int) -> list[Launch]:
        """Take over the groups that an earlier driver left, and ask for those that are missing."""
        self._options = replace(self._options, epoch=epoch)
        self._pool.fill(self._options)
        return [group.launch for group in self._pool if group.launch is not None]

    def prepare(self, problem: Problem | None) -> list[Event]:
        """Let one worker group do the shared stage while the others load their libraries.

        Where nobody has noted what scores depend on, one does so first, for the others to compare.
        """
        self._known = problem
        self._monitor.problem = problem if problem and problem.inputs else None
        while not self._is_prepared():
            self._follow_lead()
            self._stash.extend(self._monitor.poll(0.5))
            self.meanwhile()
            error = self._pool.error
            if isinstance(error, UserError) and not self._pool.loaded:
                raise error
        events = list(self._lead.calibrated or ()) if self._lead else []
        self._monitor.problem = self._monitor.problem or problem_of(events, problem)
        self._mark_delivered()
        return events

    def _is_prepared(self) -> bool:
        if self._known is not None:
            return self._pool.loaded
        return self._lead is not None and self._lead.calibrated is not None

    def _follow_lead(self) -> None:
        """Choose the group that does the shared stage: one that is at it, or the first placed."""
        alive = [g for g in self._pool if g.phase is not GroupPhase.WAITING]
        if self._lead not in alive:
            at_it = [g for g in alive if g.calibrated or any(m.loading for m in g.workers)]
            self._lead = next(iter([*at_it, *alive]), None)
            if self._lead is not None and self._known is None and not self._lead.calibrated:
                for worker in self._lead.workers:  # whatever it had loaded, it is to tell of it
                    worker.loaded = False
        if self._lead is not None:
            self._lead.load(self._known)

    def now(self) -> float:
        """Return the time of this machine's clock; what sets that clock does not move it."""
        return self._began_s + time.monotonic()

    def pause(self, seconds: float) -> None:
        """Wait, and go on listening; what is heard comes with the next `poll`."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            self._stash.extend(self._monitor.poll(min(left_s, 1.0)))

    def free(self) -> int:
        """Return the number of idle worker groups that have loaded and do not rest."""
        return sum(1 for _ in self._idle())

    def _idle(self) -> Iterator[WorkerGroup]:
        now_s = self.now()
        for group in self._pool:
            if (
                group.phase is GroupPhase.IDLE
                and self._monitor.backoffs.of(group.slot, now_s) is None
            ):
                yield group

    def launch(self, launch: Launch) -> None:
        """Start an attempt on an idle worker group."""
        next(self._idle()).begin(launch)

    def drop(self, launch: Launch) -> None:
        """Stop an attempt by replacing its worker group, unless it is over."""
        for group in self._pool:
            if group.launch == launch and not group.forget():
                self._pool.replace(group)

    def suspend(self, run_id: str, attempt: int, why: str) -> None:
        """Have the worker group that trains an attempt save it and report that it is paused."""
        for group in self._pool:
            group.suspend((run_id, attempt), why)

    def poll(self, timeout_s: float) -> list[Report]:
        """Wait for reports or for another group to be free; keep the groups well meanwhile."""
        for group in self._pool:
            for worker in group.workers:
                worker.acknowledge()
        reports, self._stash = self._stash, []
        free, until_s = self.free(), time.monotonic() + timeout_s
        while not reports and self.free() <= free and (left_s := until_s - time.monotonic()) > 0:
            reports = self._monitor.poll(left_s)
        self._mark_delivered()
        return reports

    def _mark_delivered(self) -> None:
        for group in self._pool:
            for worker in group.workers:
                worker.mark_delivered()

    def groups(self) -> list[GroupState]:
        """Return what every worker group does now, and what the waiting ones wait for."""
        if self._closed:
            return []
        return [self._monitor.backoffs.shown(state, self.now()) for state in self._pool.states()]

    def close(self) -> None:
        """Let runs save where they are, then end all groups, and the local Ray if there is one."""
        if self._closed:
            return
        self._pool.closing = True
        if not within(ANSWER_S, _ask):
            self._abandon()
            return
        try:
            within(SAVE_S, self._save_runs)
        except FencedError:
            self.detach()
            return
        except KeyboardInterrupt:
            pass  # asked twice: what is not saved by now is trained again
        self._closed = True
        if not within(DISMISS_S, self._dismiss):
            self._abandon()

    def _abandon(self) -> None:
        """Let go of a head that is gone, as when the same signal ended it.

        Asked for anything, Ray waits a minute for it and then ends this process.
        """
        self._closed = True
        self._pool.forget()
        atexit.unregister(shutdown)
        atexit.register(end_at_once, self.status)

    def _dismiss(self) -> None:
        self._pool.dismiss()
        self._disconnect()

    def _save_runs(self) -> None:
        for group in self._pool:
            if group.phase is not GroupPhase.WAITING:
                group.drain("the sweep stops")
        until_s = time.monotonic() + SAVE_S
        while any(g.saving for g in self._pool) and time.monotonic() < until_s:
            self._monitor.poll(0.2)

    def detach(self) -> None:
        """Let go of the worker groups as they are; those of a local Ray end with their driver."""
        if self._local and not self._pool.closing:
            self.close()
            return
        self._closed = True
        self._pool.forget()
        self._disconnect()

    def _disconnect(self) -> None:
        if self._joined:
            ray.shutdown()


def _ask() -> None:
    read_nodes()
