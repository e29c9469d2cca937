"""One worker of a group: it keeps the base loaded and trains one launch after another.

It answers its driver while it works: calls only put jobs into a queue, and the worker's host does
them one by one. Every command has the driver's epoch; commands of an older driver are refused.
Without a driver for a configured time, the worker saves its run and releases the group's resources.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from paretoflow.core.launch import Launch
from paretoflow.core.protocols import Parallel
from paretoflow.core.values import Problem
from paretoflow.engine.failures.attribution import error_in
from paretoflow.engine.runtime.mailbox import Mailbox
from paretoflow.engine.runtime.poll import LoadResult, PollReply, PollRequest
from paretoflow.engine.runtime.protocols import RunExecutor
from paretoflow.ledger.tables import Event
from paretoflow.spec.sweep import SweepSpec

SAVE_S = 600.0
"""Longest time that an orphan takes to save its run before it releases its resources anyway."""
LOOK_S = 1.0
"""Interval at which a worker checks whether it is an orphan, in seconds."""


@dataclass(frozen=True)
class WorkerConfig:
    """The configuration of a new worker.

    Args:
        spec: The resolved spec as plain JSON values.
        root: Path or URI of the sweep's folder.
        executor: Import path of its executor, `module:Class`.
        threads: Number of CPU threads.
        parallel: Its rank in the worker group.
        epoch: Epoch of the driver that starts it.
    """

    spec: dict[str, Any]
    root: str
    executor: str
    threads: int
    parallel: Parallel
    epoch: int


@dataclass(frozen=True)
class WorkerLocation:
    """The location of a worker: the cluster's node id, the node's address, and the process id."""

    node_id: str
    address: str
    pid: int


class Job(Protocol):
    """Work that a worker does in parallel to answering calls."""

    def work(self) -> Any:
        """Do the work; return its result. Takes long."""
        ...

    def done(self, result: Any) -> None:
        """Put the result into the mailbox."""
        ...


class Host(Protocol):
    """The process that a worker runs in."""

    def now(self) -> float:
        """Return the seconds of a clock that is never adjusted."""
        ...

    def enqueue(self, job: Job) -> None:
        """Queue a job after the jobs before it; return at once."""
        ...

    def location(self) -> WorkerLocation:
        """Return the location of the process."""
        ...

    def meeting_point(self) -> tuple[str, int]:
        """Return an address and a free port of this node, at which all workers can connect."""
        ...

    def meet(self, meeting: tuple[str, int]) -> None:
        """Set the address at which the group's workers connect, before the executor is built."""
        ...

    def executor(self) -> RunExecutor:
        """Build the worker's executor.

        Raises:
            ParetoflowError: If it cannot be built here.
        """
        ...


@dataclass(frozen=True)
class _Load:
    worker: Worker
    problem: Problem | None

    def work(self) -> LoadResult:
        return self.worker.loaded_with(self.problem)

    def done(self, result: LoadResult) -> None:
        self.worker.mailbox.loaded(result)


@dataclass(frozen=True)
class _Execute:
    worker: Worker
    launch: Launch

    def work(self) -> Any:
        assert self.worker.built is not None
        return self.worker.built.execute(self.launch, self.worker.mailbox)

    def done(self, result: Any) -> None:
        self.worker.mailbox.ended(result)


class Worker:
    """The interface of a worker for drivers.

    Its methods return at once, except `poll`; all run in parallel to the work.

    Attributes:
        mailbox: Its state and messages for the driver.
        built: Its executor; None before the first load.
    """

    def __init__(self, config: WorkerConfig, host: Host) -> None:
        self.config = config
        self._host = host
        orphan_s = SweepSpec.model_validate(config.spec).engine.limits.orphan_s
        self.mailbox = Mailbox(config.epoch, orphan_s, host.now)
        self.built: RunExecutor | None = None

    def poll(self, request: PollRequest) -> PollReply:
        """Return new messages and the state; see `Mailbox.poll`."""
        return self.mailbox.poll(request)

    def location(self) -> WorkerLocation:
        """Return the location of this worker."""
        return self._host.location()

    def meeting_point(self) -> tuple[str, int]:
        """Return an address and a free port of this node, at which all workers can connect."""
        return self._host.meeting_point()

    def load(self, epoch: int, problem: Problem | None, meeting: tuple[str, int] | None) -> None:
        """Load everything; without a calibration, do the shared stage.

        Ends in `LoadResult` in the outbox.

        Args:
            epoch: Epoch of the driver.
            problem: The frozen objectives; None to freeze them.
            meeting: Address at which the group's workers connect; None for a single worker.

        Raises:
            FencedError: If a newer driver owns the worker group.
        """
        self.mailbox.check_epoch(epoch)
        self.mailbox.loading()
        if meeting is not None:
            self._host.meet(meeting)
        self._host.enqueue(_Load(self, problem))

    def begin(self, epoch: int, launch: Launch) -> None:
        """Start an attempt; it ends in a report in the outbox.

        Raises:
            FencedError: If a newer driver owns the worker group.
            WorkerError: If the worker is busy.
            RunInterrupted: If the worker is leaving.
        """
        self.mailbox.check_epoch(epoch)
        self.mailbox.begin(launch)
        self._host.enqueue(_Execute(self, launch))

    def suspend(self, epoch: int, run_id: str, attempt: int, why: str) -> None:
        """Pause a run, if it is still in training.

        Raises:
            FencedError: If a newer driver owns the worker group.
        """
        self.mailbox.check_epoch(epoch)
        self.mailbox.suspend(run_id, attempt, why)

    def drain(self, epoch: int, reason: str) -> None:
        """Save the run in training and accept no further launch.

        Raises:
            FencedError: If a newer driver owns the worker group.
        """
        self.mailbox.check_epoch(epoch)
        self.mailbox.drain(reason)

    def consult(self, method: str, *args: object) -> Any:
        """Forward a call to the executor, from another process that works for it."""
        return getattr(self.built, method)(*args)

    def loaded_with(self, problem: Problem | None) -> LoadResult:
        """Build the executor if there is none, and prepare it; return the result."""
        events: list[Event] = []

        def work() -> None:
            self.built = self.built or self._host.executor()
            if problem is None:
                events.extend(self.built.prepare(self.mailbox))
            else:
                events.extend(self.built.ready(problem, self.mailbox) or ())

        error = error_in(work)
        return LoadResult(tuple(events), error)

    def watch(self) -> Iterator[float]:
        """Check for a driver; yield the seconds until the next check.

        Ends when the worker is an orphan, and has saved its run or exceeded the time for that. The
        caller then releases the group's resources.
        """
        while not (reason := self.mailbox.deserted()):
            yield LOOK_S
        self.mailbox.drain(reason)
        left_s = SAVE_S
        while self.mailbox.at_work() and left_s > 0:
            yield LOOK_S
            left_s -= LOOK_S
        if self.config.parallel.rank != 0:  # rank 0 writes, so it ends last
            yield SAVE_S
