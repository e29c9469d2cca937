"""A backend that executes runs on worker groups, over any transport; they may outlive a driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from paretoflow.core.errors import FencedError, UserError
from paretoflow.core.launch import Launch
from paretoflow.core.status import Boundary
from paretoflow.core.values import Problem
from paretoflow.engine.groups.discovery import WorkerGroupFactory
from paretoflow.engine.groups.monitor import Fragments, GroupMonitor
from paretoflow.engine.groups.pool import WorkerGroupPool
from paretoflow.engine.groups.transport import Transport
from paretoflow.engine.groups.worker_group import WorkerGroup
from paretoflow.engine.groups.worker_handle import GroupOptions, wait_s_of
from paretoflow.engine.live import GroupPhase, GroupState
from paretoflow.engine.messages import Cause, Failure, Report
from paretoflow.engine.state.events import problem_of
from paretoflow.ledger.tables import Event
from paretoflow.spec.sweep import SweepSpec

SAVE_S = 20.0
"""Longest time for open runs to save their state when the sweep stops, in seconds."""
ANSWER_S = 5.0
"""Longest time for the cluster to answer before it is considered gone, in seconds."""
DISMISS_S = 5.0
"""Longest time to end the worker groups and the local cluster, in seconds."""

GONE = Failure(
    Boundary.WORKER, "its worker group went before the launch", retryable=True, cause=Cause.LOST
)


class GroupBackend:
    """A backend over worker groups; see `Backend` for the protocol.

    Args:
        transport: Carries calls to the workers; it belongs to this driver.
        factory: Creates and finds worker groups over the transport.
        fragments: Reads the fragments of a run.

    Attributes:
        meanwhile: Called at intervals while `prepare` waits.
        status: Returns the exit status of this process, in case the transport allows no orderly
            end.
    """

    def __init__(
        self,
        spec: SweepSpec,
        transport: Transport,
        factory: WorkerGroupFactory,
        fragments: Fragments,
    ) -> None:
        self._transport = transport
        self._pool = WorkerGroupPool(spec.engine, factory, transport)
        resources = spec.engine.resources
        alone = spec.engine.launcher == "train" or (resources.ranks, resources.zero) == (1, 0)
        sharded = spec.engine.launcher == "core" and resources.zero == 3
        limits, wait_s = spec.engine.limits, wait_s_of(spec)
        self._options = GroupOptions(transport, 0, limits, wait_s, alone, sharded)
        self._known: Problem | None = None
        self._lead: WorkerGroup | None = None
        self._stash: list[Report] = []
        self._closed = False
        self._monotonic = transport.monotonic
        self._began_s = transport.time() - transport.monotonic()
        self._monitor = GroupMonitor(transport, fragments, self._pool, self.now, alone=alone)
        self.meanwhile: Callable[[], None] = lambda: None
        self.status: Callable[[], int] = lambda: 1

    def adopt(self, epoch: int) -> list[Launch]:
        """Take over the groups that an earlier driver left, and request the missing ones."""
        self._options = replace(self._options, epoch=epoch)
        self._pool.fill(self._options)
        return [group.launch for group in self._pool if group.launch is not None]

    def prepare(self, problem: Problem | None) -> list[Event]:
        """Let one worker group do the shared stage while the others load their libraries.

        Where the inputs that scores depend on are not recorded yet, one group records them first,
        and the others compare theirs.
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
        return events

    def _is_prepared(self) -> bool:
        if self._known is not None:
            return self._pool.loaded
        return self._lead is not None and self._lead.calibrated is not None

    def _follow_lead(self) -> None:
        """Choose the group for the shared stage: one that works on it, or the first placed."""
        alive = [g for g in self._pool if g.phase is not GroupPhase.WAITING]
        if self._lead not in alive:
            at_it = [g for g in alive if g.calibrated or any(m.loading for m in g.workers)]
            self._lead = next(iter([*at_it, *alive]), None)
            if self._lead is not None and self._known is None and not self._lead.calibrated:
                for worker in self._lead.workers:  # it must load again and report the result
                    worker.loaded = False
        if self._lead is not None:
            self._lead.load(self._known)

    def now(self) -> float:
        """Return the time of this machine's clock; later adjustments of the clock do not count."""
        return self._began_s + self._monotonic()

    def pause(self, seconds: float) -> None:
        """Wait, and still receive reports; the next `poll` returns them."""
        until_s = self._monotonic() + seconds
        while (left_s := until_s - self._monotonic()) > 0:
            self._stash.extend(self._monitor.poll(min(left_s, 1.0)))

    def free(self) -> int:
        """Return the number of idle worker groups that have loaded and are not paused."""
        return sum(1 for _ in self._idle())

    def _idle(self) -> Iterator[WorkerGroup]:
        """Iterate over the groups that may take a launch.

        A group whose last end is not reported yet takes none: a worker repeats only the end of its
        last launch to a new driver, so the end before must be in the ledger by then.
        """
        now_s = self.now()
        for group in self._pool:
            if (
                group.phase is GroupPhase.IDLE
                and not group.unreported
                and self._monitor.backoffs.of(group.slot, now_s) is None
            ):
                yield group

    def launch(self, launch: Launch) -> None:
        """Start an attempt on an idle worker group; report it as lost if none is left.

        The idle group may be lost while the decision is committed.
        """
        group = next(self._idle(), None)
        if group is not None:
            group.begin(launch)
        else:
            self._stash.append(Report(launch.run_id, launch.attempt, ended=True, failure=GONE))

    def drop(self, launch: Launch) -> None:
        """Stop an attempt by replacing its worker group, unless it is over."""
        for group in self._pool:
            if group.launch == launch and not group.forget():
                self._pool.replace(group)

    def suspend(self, run_id: str, attempt: int, why: str) -> None:
        """Make the worker group that trains an attempt save it and report the pause."""
        for group in self._pool:
            group.suspend((run_id, attempt), why)

    def poll(self, timeout_s: float) -> list[Report]:
        """Wait for reports or for another free group; meanwhile monitor the groups."""
        for group in self._pool:
            for worker in group.workers:
                worker.acknowledge()
        reports, self._stash = self._stash, []
        free, until_s = self.free(), self._monotonic() + timeout_s
        while not reports and self.free() <= free and (left_s := until_s - self._monotonic()) > 0:
            reports = self._monitor.poll(left_s)
        for group in self._pool:
            group.mark_delivered()
        return reports

    def groups(self) -> list[GroupState]:
        """Return the state of every worker group; waiting ones name the missing resources."""
        if self._closed:
            return []
        return [self._monitor.backoffs.shown(state, self.now()) for state in self._pool.states()]

    def close(self) -> None:
        """Let runs save their state, then end all groups, and a private cluster."""
        if self._closed:
            return
        self._pool.closing = True
        if not self._transport.within(ANSWER_S, self._transport.nodes):
            self._abandon()
            return
        try:
            self._transport.within(SAVE_S, self._save_runs)
        except FencedError:
            self.detach()
            return
        except KeyboardInterrupt:
            pass  # a second request: unsaved steps are trained again
        self._closed = True
        if not self._transport.within(DISMISS_S, self._dismiss):
            self._abandon()

    def _abandon(self) -> None:
        """Release a cluster that is gone, for instance one that the same signal ended."""
        self._closed = True
        self._pool.forget()
        self._transport.abandon(self.status)

    def _dismiss(self) -> None:
        self._pool.dismiss()
        self._transport.disconnect()

    def _save_runs(self) -> None:
        for group in self._pool:
            if group.phase is not GroupPhase.WAITING:
                group.drain("the sweep stops")
        until_s = self._monotonic() + SAVE_S
        while any(g.saving for g in self._pool) and self._monotonic() < until_s:
            self._monitor.poll(0.2)

    def detach(self) -> None:
        """Leave the worker groups running; those of a private cluster end with it."""
        if self._transport.private and not self._pool.closing:
            self.close()
            return
        self._closed = True
        self._pool.forget()
        self._transport.disconnect()
