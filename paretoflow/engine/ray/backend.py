"""Execute runs on Ray: gangs that outlive their driver on a cluster, or on this machine alone."""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import ray
from ray._private.worker import shutdown

from paretoflow.core.errors import FencedError, UserError
from paretoflow.core.values import Problem
from paretoflow.engine.cluster.nodes import read_nodes
from paretoflow.engine.live import GangPhase, GangState
from paretoflow.engine.messages import Launch, Report
from paretoflow.engine.ray.connect import join, start_local
from paretoflow.engine.ray.discovery import Muster
from paretoflow.engine.ray.monitor import GroupMonitor
from paretoflow.engine.ray.pool import Roster
from paretoflow.engine.ray.transport import end_at_once, within
from paretoflow.engine.ray.worker_group import Gang
from paretoflow.engine.ray.worker_handle import Terms, wait_s_of
from paretoflow.engine.runtime.protocols import WORKSHOP
from paretoflow.engine.state.events import problem_of
from paretoflow.ledger.tables import Event
from paretoflow.spec.sweep import SweepSpec
from paretoflow.storage import Root, as_folder

SAVE_S = 20.0
"""How long open runs may take to save where they are when the sweep stops."""
ANSWER_S = 5.0
"""How long a head may take to answer before it is taken to be gone."""
DISMISS_S = 5.0
"""How long ending the gangs may take, and the local Ray."""


class RayBackend:
    """See `Backend` for the contract.

    Args:
        root: The sweep's folder.
        address: A running cluster; None starts a local Ray that ends with this process.
        workshop: Import path of what the ranks keep loaded.
        generation: How many changes of what scores depend on were accepted: gangs that loaded
            before the latest are not taken over.

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
        workshop: str = WORKSHOP,
        generation: int = 0,
    ) -> None:
        self._spec = spec
        self._folder = as_folder(root)
        self._joined = not ray.is_initialized()
        self._local = address is None and self._joined
        muster = Muster(
            spec, self._folder.uri, workshop, outliving=not self._local, generation=generation
        )
        self._roster = Roster(spec.engine, muster, alone=self._local)
        resources = spec.engine.resources
        alone = spec.engine.launcher == "train" or (resources.ranks, resources.zero) == (1, 0)
        self._terms = Terms(0, spec.engine.limits, wait_s_of(spec), alone)
        self._known: Problem | None = None
        self._lead: Gang | None = None
        self._stash: list[Report] = []
        self._closed = False
        self._began_s = time.time() - time.monotonic()
        self._monitor = GroupMonitor(self._folder, self._roster, self.now, alone=alone)
        self.meanwhile: Callable[[], None] = lambda: None
        self.status: Callable[[], int] = lambda: 1
        if self._local:
            start_local(spec.engine, muster.namespace)
        elif self._joined:
            assert address is not None
            join(address, muster.namespace)

    def adopt(self, epoch: int) -> list[Launch]:
        """Take over the gangs that an earlier driver left, and ask for those that are missing."""
        self._terms = replace(self._terms, epoch=epoch)
        self._roster.fill(self._terms)
        return [gang.launch for gang in self._roster if gang.launch is not None]

    def prepare(self, problem: Problem | None) -> list[Event]:
        """Let one gang do the shared stage while the others load their libraries.

        Where nobody has noted what scores depend on, one does so first, for the others to compare.
        """
        self._known = problem
        self._monitor.problem = problem if problem and problem.inputs else None
        while not self._is_prepared():
            self._follow_lead()
            self._stash.extend(self._monitor.hear(0.5))
            self.meanwhile()
            error = self._roster.error
            if isinstance(error, UserError) and not self._roster.loaded:
                raise error
        events = list(self._lead.calibrated or ()) if self._lead else []
        self._monitor.problem = self._monitor.problem or problem_of(events, problem)
        self._hand_over()
        return events

    def _is_prepared(self) -> bool:
        if self._known is not None:
            return self._roster.loaded
        return self._lead is not None and self._lead.calibrated is not None

    def _follow_lead(self) -> None:
        """Choose the gang that does the shared stage: one that is at it, or the first placed."""
        alive = [g for g in self._roster if g.phase is not GangPhase.WAITING]
        if self._lead not in alive:
            at_it = [g for g in alive if g.calibrated or any(m.loading for m in g.members)]
            self._lead = next(iter([*at_it, *alive]), None)
            if self._lead is not None and self._known is None and not self._lead.calibrated:
                for member in self._lead.members:  # whatever it had loaded, it is to tell of it
                    member.loaded = False
        if self._lead is not None:
            self._lead.load(self._known)

    def now(self) -> float:
        """Return the time of this machine's clock; what sets that clock does not move it."""
        return self._began_s + time.monotonic()

    def pause(self, seconds: float) -> None:
        """Wait, and go on listening; what is heard comes with the next `poll`."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            self._stash.extend(self._monitor.hear(min(left_s, 1.0)))

    def free(self) -> int:
        """Return the number of idle gangs that have loaded and do not rest."""
        return sum(1 for _ in self._idle())

    def _idle(self) -> Iterator[Gang]:
        now_s = self.now()
        for gang in self._roster:
            if gang.phase is GangPhase.IDLE and self._monitor.rests.of(gang.slot, now_s) is None:
                yield gang

    def launch(self, launch: Launch) -> None:
        """Start an attempt on an idle gang."""
        next(self._idle()).begin(launch)

    def drop(self, launch: Launch) -> None:
        """Stop an attempt by replacing its gang, unless it is over."""
        for gang in self._roster:
            if gang.launch == launch and not gang.forget():
                self._roster.replace(gang)

    def suspend(self, run_id: str, attempt: int, why: str) -> None:
        """Have the gang that trains an attempt save it and report that it is paused."""
        for gang in self._roster:
            gang.suspend((run_id, attempt), why)

    def poll(self, timeout_s: float) -> list[Report]:
        """Wait for reports or for another gang to be free; keep the gangs well meanwhile."""
        for gang in self._roster:
            for member in gang.members:
                member.acknowledge()
        reports, self._stash = self._stash, []
        free, until_s = self.free(), time.monotonic() + timeout_s
        while not reports and self.free() <= free and (left_s := until_s - time.monotonic()) > 0:
            reports = self._monitor.hear(left_s)
        self._hand_over()
        return reports

    def _hand_over(self) -> None:
        for gang in self._roster:
            for member in gang.members:
                member.hand_over()

    def gangs(self) -> list[GangState]:
        """Return what every gang does now, and what the waiting ones wait for."""
        if self._closed:
            return []
        return [self._monitor.rests.shown(state, self.now()) for state in self._roster.states()]

    def close(self) -> None:
        """Let runs save where they are, then end all gangs, and the local Ray if there is one."""
        if self._closed:
            return
        self._roster.closing = True
        if not within(ANSWER_S, _ask):
            self._abandon()
            return
        try:
            within(SAVE_S, self._save_runs)
        except FencedError:
            self.leave()
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
        self._roster.forget()
        atexit.unregister(shutdown)
        atexit.register(end_at_once, self.status)

    def _dismiss(self) -> None:
        self._roster.dismiss()
        self._disconnect()

    def _save_runs(self) -> None:
        for gang in self._roster:
            if gang.phase is not GangPhase.WAITING:
                gang.leave("the sweep stops")
        until_s = time.monotonic() + SAVE_S
        while any(g.saving for g in self._roster) and time.monotonic() < until_s:
            self._monitor.hear(0.2)

    def leave(self) -> None:
        """Let go of the gangs as they are; those of a local Ray end with their driver."""
        if self._local and not self._roster.closing:
            self.close()
            return
        self._closed = True
        self._roster.forget()
        self._disconnect()

    def _disconnect(self) -> None:
        if self._joined:
            ray.shutdown()


def _ask() -> None:
    read_nodes()
