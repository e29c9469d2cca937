"""Take in what worker groups report; replace those that fail, load those that are placed."""

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
"""Returns the rows that a run has made durable, and tells of each fragment that is damaged."""


class GroupMonitor:
    """Watches over the worker groups of a pool.

    Args:
        transport: What carries their calls.
        fragments: Reads what a run has written.
        pool: The pool.
        now: Returns the backend's time, in seconds since the epoch.
        alone: Whether a worker goes on by itself when its run has failed: no other waits for it.

    Attributes:
        problem: The frozen objectives, which groups load; None while nobody knows them.
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
        """Wait at most `timeout_s` seconds for news of any group; return all there is.

        Raises:
            ChangedInputsError: If a group finds that what scores depend on has changed.
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
        """Return whether a failure may leave ranks out of step, or their memory in pieces."""
        return not self._alone or failure.cause is Cause.OUT_OF_MEMORY

    def _look_after(self, group: WorkerGroup, *, broken: bool) -> None:
        """Let a worker group go that is done, make one load that has not."""
        if isinstance(group.error, ChangedInputsError) and not self._pool.closing:
            error = group.error
            self._pool.replace(group)
            raise error
        if group.error is not None:
            if not group.leaving:  # else it was asked to put its loading down
                self._pool.record_start_failure(group.slot, group.error)
            self._pool.replace(group)
        elif group.launch is None and (group.leaving or broken):
            self._pool.replace(group)
        elif group.ready is None:
            self._pool.placed(group)
            if group.phase is GroupPhase.LOADING and self.problem is not None:
                group.load(self.problem)

    def lose(self, group: WorkerGroup, failure: Failure) -> list[Report]:
        """Remove a worker group; end its attempt with all that it had made durable."""
        if not all(m.loaded for m in group.workers):
            self._pool.record_start_failure(group.slot, failure)
        if group.leaving:
            message = f"{group.leaving}: {failure.message}"
            failure = replace(failure, message=message, cause=Cause.LOST, outage="")
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
