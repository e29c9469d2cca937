"""A worker group on the driver's side: combines the answers of its workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from paretoflow.core.errors import ParetoflowError, WorkerError
from paretoflow.core.launch import Launch
from paretoflow.core.status import Boundary
from paretoflow.core.values import Problem
from paretoflow.engine.failures.attribution import death_of, failure_of
from paretoflow.engine.groups.transport import Placement, Reply
from paretoflow.engine.groups.worker import WorkerLocation
from paretoflow.engine.groups.worker_handle import WorkerHandle
from paretoflow.engine.live import GroupPhase, GroupState
from paretoflow.engine.messages import Cause, Failure, Report
from paretoflow.engine.runtime.poll import LoadResult, Message, PollReply
from paretoflow.ledger.tables import Event

GRACE_S = 10.0
"""Longest time for the other workers to end after one has failed, in seconds."""


def _noticed(failure: Failure) -> int:
    """Rank a failure by how likely it only follows another worker's failure; 0 for least likely.

    A connection breaks where the other side has failed; a full disk stops every writer.
    """
    elsewhere = failure.boundary is Boundary.WORKER
    return {
        Cause.OUT_OF_MEMORY: 0,
        Cause.OUTAGE: 3 if elsewhere else 1,
        Cause.ERROR: 4 if elsewhere else 2,
        Cause.DIED: 5,
        Cause.LOST: 6,
    }[failure.cause]


@dataclass
class WorkerGroup:
    """One worker group; call `listen` and `take` in turn.

    Args:
        placement: Its resources; None for a supervisor, which holds none.
        ready: Reply that arrives once the resources are available; None from then on.

    Attributes:
        launch: Launch in training, or finished but not reported yet.
        leaving: Reason why it accepts no more launches; empty while it does.
        calibrated: Rows that `load` without a problem returned.
        error: Error of loading.
        unreported: Whether its last launch ended, and the driver has not received the report yet.
    """

    slot: int
    workers: list[WorkerHandle]
    placement: Placement | None
    ready: Reply | None = None
    launch: Launch | None = None
    leaving: str = ""
    calibrated: tuple[Event, ...] | None = None
    error: ParetoflowError | None = None
    unreported: bool = False
    _meeting: tuple[str, int] | None = None
    _began_s: float = 0.0
    _failed_s: float | None = None
    _phase: GroupPhase = GroupPhase.WAITING

    def __post_init__(self) -> None:
        self._options = self.workers[0].options
        self._transport = self._options.transport
        self._monotonic = self._transport.monotonic
        self._placed_s, self._since_s = self._monotonic(), self._transport.time()

    @property
    def phase(self) -> GroupPhase:
        """Return the current phase of the worker group."""
        if self.ready is not None:
            return GroupPhase.WAITING
        if self.leaving:
            return GroupPhase.LEAVING
        if self.launch is not None:
            return GroupPhase.BUSY
        return GroupPhase.IDLE if all(m.loaded for m in self.workers) else GroupPhase.LOADING

    @property
    def nodes(self) -> set[str]:
        """Return the ids of the worker group's nodes."""
        return {m.place.node_id for m in self.workers if m.place}

    def state(self) -> GroupState:
        """Return the state of the worker group."""
        self._note_phase()
        head, launch = self.workers[0].reply, self.launch
        return GroupState(
            self.slot,
            self._phase,
            self._since_s,
            launch.run_id if launch else "",
            launch.attempt if launch else 0,
            head.step if head and launch else -1,
            tuple(sorted({m.place.address for m in self.workers if m.place})),
            self.leaving,
            head.doing if head else None,
        )

    def _note_phase(self) -> None:
        if self.phase is not self._phase:
            self._phase, self._since_s = self.phase, self._transport.time()

    def ask_locations(self) -> None:
        """Request the workers' locations, and, if they train together, a meeting point."""
        for worker in self.workers:
            worker.ask("location", then=worker.note_location)
        if not self._options.alone:
            self.workers[0].ask("meeting_point", then=lambda at: setattr(self, "_meeting", at))

    def load(self, problem: Problem | None) -> None:
        """Make the workers load; without a problem the first alone, unless the base is sharded.

        Does nothing before the workers have a meeting point: call it again.
        """
        if self.error or not (self._options.alone or self._meeting):
            return
        for worker in self.workers if problem or self._options.sharded else self.workers[:1]:
            if not (worker.loaded or worker.loading):
                worker.loading = True
                worker.ask("load", worker.options.epoch, problem, self._meeting)

    def begin(self, launch: Launch) -> None:
        """Start an attempt on all workers."""
        self.launch, self._began_s, self._failed_s = launch, self._monotonic(), None
        for worker in self.workers:
            worker.ended = None
            worker.ask("begin", worker.options.epoch, launch)
        self._note_phase()

    def suspend(self, attempt: tuple[str, int], why: str) -> None:
        """Pause a (run, attempt), if the worker group trains it.

        The first worker alone is asked, and reports the result; all workers stop with it.
        """
        if self.launch is not None and attempt == (self.launch.run_id, self.launch.attempt):
            head = self.workers[0]
            head.ask("suspend", head.options.epoch, *attempt, why)

    def drain(self, reason: str) -> None:
        """Make the worker group save its run and accept no further launch."""
        if not self.leaving:
            self.leaving = reason
            for worker in self.workers:
                worker.ask("drain", worker.options.epoch, reason)

    @property
    def saving(self) -> bool:
        """Check whether a worker of a leaving group is still saving work."""
        replies = [m.reply for m in self.workers if m.reply is not None]
        if any(h.phase is GroupPhase.LOADING and h.doing for h in replies):
            return True  # the shared stage, between two batches
        still = [h.phase is GroupPhase.LEAVING and not h.training for h in replies]
        return self.launch is not None and not all(still)

    def listen(self) -> None:
        """Poll every worker without an open poll."""
        for worker in self.workers:
            worker.listen()

    def awaited(self) -> Iterator[Reply]:
        """Return the handles of all open replies."""
        if self.ready is not None:
            yield self.ready
        for worker in self.workers:
            yield from worker.awaited()

    def take(self, answered: set[Reply]) -> list[Report]:
        """Process the arrived replies; return reports on the launch.

        Raises:
            ParetoflowError: If a worker raised it, for instance FencedError.
            CallError: If a worker is gone.
        """
        if self.ready in answered:
            self.ready, self._placed_s = None, self._monotonic()
        reports: list[Report] = []
        for worker in self.workers:
            for message in worker.take(answered):
                reports.extend(self._receive(worker, message))
            if worker.reply is not None:
                self.leaving = self.leaving or worker.reply.reason
        reports.extend(self._end())
        self._note_phase()
        return reports

    def _receive(self, worker: WorkerHandle, message: Message) -> list[Report]:
        if isinstance(message, LoadResult):
            worker.loading, worker.loaded = False, message.error is None
            self.error = self.error or message.error
            self.calibrated = message.events or self.calibrated
            return []
        if not message.ended:
            return [message]
        launch = self.launch
        if launch is None or (message.run_id, message.attempt) != (launch.run_id, launch.attempt):
            return []  # of an earlier launch, whose driver died before it could acknowledge the end
        worker.ended = message
        if message.failure is not None:
            self._failed_s = self._failed_s or self._monotonic()
        return []

    def _end(self) -> list[Report]:
        """Return the end of the launch, once all workers ended it or `GRACE_S` after a failure."""
        given_up = self._failed_s is not None and self._monotonic() - self._failed_s > GRACE_S
        if self.launch is None or not (given_up or all(m.ended for m in self.workers)):
            return []
        launch, self.launch, self.unreported = self.launch, None, True
        return [Report(launch.run_id, launch.attempt, ended=True, failure=self.failure())]

    def failure(self, loss: Failure | None = None) -> Failure | None:
        """Return the most specific failure; the others, and the loss, may only follow from it."""
        failures = [m.ended.failure for m in self.workers if m.ended and m.ended.failure]
        failure = min([*failures, loss] if loss else failures, key=_noticed, default=None)
        if failure is None or failure.cause is not Cause.LOST or self.leaving in failure.message:
            return failure
        return replace(failure, message=f"{self.leaving}: {failure.message}")  # one rank knew why

    def mark_delivered(self) -> None:
        """Record that the driver has all messages, except ends that were not reported."""
        self.unreported = False
        for worker in self.workers:
            if self.launch is None or worker.ended is None:
                worker.mark_delivered()

    def adopt(self, told: Sequence[tuple[PollReply, WorkerLocation]]) -> bool:
        """Restore the state from the workers' answers to a new driver.

        Returns:
            True if the workers agree on their launch; else a launch reached only some of them.
        """
        replies = [reply for reply, _ in told]
        self.launch = replies[0].launch
        for worker, (reply, place) in zip(self.workers, told, strict=True):
            worker.place, worker.loaded = place, reply.loaded
            worker.loading = reply.phase is GroupPhase.LOADING
            for message in worker.take_reply(reply):
                self._receive(worker, message)
            self.leaving = self.leaving or reply.reason
        if any(m.ended for m in self.workers) or any(h.training for h in replies):
            self._began_s = self._monotonic() - max(h.phase_s for h in replies)
            self._close_ranks(replies)
        else:
            self.launch = None
        return all(h.launch == replies[0].launch for h in replies)

    def _close_ranks(self, replies: Sequence[PollReply]) -> None:
        """Count workers as ended whose end an earlier driver has recorded already."""
        if self.launch is None:
            return
        over = Report(self.launch.run_id, self.launch.attempt, ended=True)
        for worker, reply in zip(self.workers, replies, strict=True):
            if not reply.training and worker.ended is None:
                worker.ended = over

    def forget(self) -> bool:
        """Drop a launch that is over but not reported; return whether the group is now free."""
        if all(m.ended for m in self.workers):
            self.launch = None
        return self.launch is None

    def trouble(self) -> Failure | None:
        """Return the failure for which to give the worker group up; None while it is healthy."""
        if self.ready is not None:
            return None
        run_id = self.launch.run_id if self.launch else ""
        silent = next((w for m in self.workers if (w := m.silence(self._placed_s))), "")
        if silent:
            return death_of(WorkerError(silent, run_id, code="worker-silent"))
        words = self._stuck() or self._overdue()
        return failure_of(WorkerError(words, run_id, code="worker-silent")) if words else None

    def _stuck(self) -> str:
        """Describe a hang: no worker makes progress. While one does, the others may wait for it."""
        still = [m.still_s for m in self.workers if m.still_s is not None]
        limit = self._options.limits.silent_s
        words = f"the worker hangs: no sign of progress for engine.limits.silent_s = {limit:g} s"
        return words if still and min(still) > limit else ""

    def _overdue(self) -> str:
        limit = self._options.limits.run_s
        if self.launch is None or limit is None or self._monotonic() - self._began_s <= limit:
            return ""
        return f"the attempt ran past engine.limits.run_s = {limit:g} s"

    def dismiss(self) -> None:
        """Release the resources and end the workers."""
        # resources first: without a worker, nobody would release them if the driver died in between
        if self.placement is not None:
            self._transport.remove(self.placement)
        for worker in self.workers:
            self._transport.kill(worker.actor)
