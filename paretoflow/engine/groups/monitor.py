"""Collect the reports of worker groups, replace failed groups, and load placed groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from paretoflow.core.errors import (
    ChangedInputsError,
    DamagedError,
    FencedError,
    ParetoflowError,
)
from paretoflow.core.launch import Launch
from paretoflow.core.values import Problem
from paretoflow.engine.failures.attribution import failure_of
from paretoflow.engine.failures.backoff import Backoffs
from paretoflow.engine.groups.pool import WorkerGroupPool
from paretoflow.engine.groups.transport import CallError, Reply, Transport
from paretoflow.engine.groups.worker_group import WorkerGroup
from paretoflow.engine.live import GroupPhase
from paretoflow.engine.messages import Cause, Failure, Report
from paretoflow.ledger.tables import Event, EventKind

Fragments = Callable[[str, Callable[[DamagedError], None]], Sequence[Event]]
"""Returns the rows that a run has made durable, and reports each damaged fragment."""


class GroupMonitor:
    """Monitors the worker groups of a pool.

    Args:
        transport: Carries their calls.
        fragments: Reads the fragments of a run.
        pool: The pool.
        now: Returns the backend's time, in seconds since the epoch.
        alone: Whether a worker can continue by itself after a failed run, as no other waits for it.

    Attributes:
        problem: The frozen objectives, which groups load; None until they are known.
        rests: The groups that wait after an outage.
    """

    def __init__(
        self,
        transport: Transport,
        fragments: Fragments,
        pool: WorkerGroupPool,
        now: Callable[[], float],
        *,
        alone: bool,
    ) -> None:
        self._transport = transport
        self._fragments = fragments
        self._pool = pool
        self._now = now
        self._alone = alone
        self.problem: Problem | None = None
        self.backoffs = Backoffs()

    def poll(self, timeout_s: float) -> list[Report]:
        """Wait at most `timeout_s` seconds for reports of any group; return all reports.

        Raises:
            ChangedInputsError: If a group finds that inputs that scores depend on have changed.
            FencedError: If a newer driver has taken the groups over.
        """
        self._pool.check_cluster()
        self._pool.admit()
        for group in self._pool:
            group.listen()
        told = self._transport.wait([r for g in self._pool for r in g.awaited()], timeout_s)
        return [report for group in self._pool for report in self._take(group, told)]

    def _take(self, group: WorkerGroup, answered: set[Reply]) -> list[Report]:
        run_id = group.launch.run_id if group.launch else ""
        try:
            told = group.take(answered)
        except FencedError:
            raise
        except CallError as error:
            return self.lose(group, error.failure_of(run_id))
        except ParetoflowError as error:
            return self.lose(group, failure_of(error))
        failure = group.trouble()
        if failure is not None:
            return [*told, *self.lose(group, failure)]
        for report in told:
            if report.ended:
                self.backoffs.ended(group.state(), report.failure, self._now())
        self._look_after(group, broken=any(self._breaks(r.failure) for r in told if r.failure))
        return told

    def _breaks(self, failure: Failure) -> bool:
        """Check whether a failure may leave workers out of step, or their memory fragmented."""
        return not self._alone or failure.cause is Cause.OUT_OF_MEMORY

    def _look_after(self, group: WorkerGroup, *, broken: bool) -> None:
        """Replace a worker group that is done or broken; make a placed group load."""
        if isinstance(group.error, ChangedInputsError) and not self._pool.closing:
            error = group.error
            self._pool.replace(group)
            raise error
        if group.error is not None:
            if not group.leaving:  # a leaving group has stopped loading on request
                self._pool.record_start_failure(group.slot, group.error)
            self._pool.replace(group)
        elif group.launch is None and (group.leaving or broken):
            self._pool.replace(group)
        elif group.ready is None:
            self._pool.placed(group)
            if group.phase is GroupPhase.LOADING and self.problem is not None:
                group.load(self.problem)

    def lose(self, group: WorkerGroup, failure: Failure) -> list[Report]:
        """Remove a worker group; end its attempt with all rows that it made durable.

        If a worker has reported why the attempt failed, that counts: the loss may follow from it.
        """
        if not all(m.loaded for m in group.workers):
            self._pool.record_start_failure(group.slot, failure)
        if group.leaving:
            message = f"{group.leaving}: {failure.message}"
            failure = replace(failure, message=message, cause=Cause.LOST, outage="")
        failure = group.failure(failure) or failure
        if failure.outage:
            self.backoffs.ended(group.state(), failure, self._now())
        self._pool.replace(group)
        return [self._lost(group.launch, failure)] if group.launch is not None else []

    def _lost(self, launch: Launch, failure: Failure) -> Report:
        aside: list[str] = []
        events = self._fragments(launch.run_id, lambda e: aside.append(e.where))
        done = any(event.kind is EventKind.FINISHED for event in events)
        if aside:
            told = f"{failure.message}; damaged and set aside: {', '.join(aside)}"
            failure = replace(failure, message=told)
        why = None if done else failure
        return Report(launch.run_id, launch.attempt, tuple(events), ended=True, failure=why)
