"""One worker of a group: it keeps the base loaded and trains one launch after another.

It answers its driver while it works: calls only put jobs into a queue, and whoever hosts the worker
does them one by one. Every command carries the driver's epoch; what an older driver sends is
refused. Without a driver for a stated time it saves its run and gives the group's resources back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from paretoflow.core.launch import Launch
from paretoflow.core.protocols import Parallel
from paretoflow.core.values import Problem
from paretoflow.engine.failures.attribution import error_in
from paretoflow.engine.runtime.mailbox import LoadResult, Mailbox, PollReply, PollRequest
from paretoflow.engine.runtime.protocols import RunExecutor
from paretoflow.ledger.tables import Event
from paretoflow.spec.sweep import SweepSpec

SAVE_S = 600.0
"""Longest time that an orphan takes to save its run before its resources go back anyway."""
LOOK_S = 1.0
"""How often a worker looks whether it is an orphan."""


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
    """Where a rank runs: the cluster's id of the node, the node's address, its process there."""

    node_id: str
    address: str
    pid: int


class Job(Protocol):
    """Something that a worker does beside answering calls."""

    def work(self) -> Any:
        """Do it; return its result. Takes long."""
        ...

    def done(self, result: Any) -> None:
        """Put the result into the mailbox."""
        ...


class Host(Protocol):
    """The process that a worker runs in."""

    def now(self) -> float:
        """Return seconds that nobody sets."""
        ...

    def enqueue(self, job: Job) -> None:
        """Have a job done after those before it; return at once."""
        ...

    def location(self) -> WorkerLocation:
        """Return where it is."""
        ...

    def meeting_point(self) -> tuple[str, int]:
        """Return an address and a free port of this node, for all ranks to meet at."""
        ...

    def meet(self, meeting: tuple[str, int]) -> None:
        """Note where the ranks of the group meet, before the executor is built."""
        ...

    def executor(self) -> RunExecutor:
        """Build what the worker keeps loaded.

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
    """What drivers call. Its methods return at once, but for `poll`; all run beside the work.

    Attributes:
        mailbox: What it tells its driver.
        built: Its executor; None before the first load.
    """

    def __init__(self, config: WorkerConfig, host: Host) -> None:
        self.config = config
        self._host = host
        orphan_s = SweepSpec.model_validate(config.spec).engine.limits.orphan_s
        self.mailbox = Mailbox(config.epoch, orphan_s, host.now)
        self.built: RunExecutor | None = None

    def poll(self, request: PollRequest) -> PollReply:
        """Return what is new; see `Mailbox.poll`."""
        return self.mailbox.poll(request)

    def location(self) -> WorkerLocation:
        """Return where this rank runs."""
        return self._host.location()

    def meeting_point(self) -> tuple[str, int]:
        """Return an address and a free port of this rank's node, for all ranks to meet at."""
        return self._host.meeting_point()

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
        self.mailbox.check_epoch(epoch)
        self.mailbox.loading()
        if meeting is not None:
            self._host.meet(meeting)
        self._host.enqueue(_Load(self, problem))

    def begin(self, epoch: int, launch: Launch) -> None:
        """Start an attempt; it ends in a report in the outbox.

        Raises:
            FencedError: If a newer driver has the worker group.
            WorkerError: If the rank is at work already.
            RunInterrupted: If it leaves.
        """
        self.mailbox.check_epoch(epoch)
        self.mailbox.begin(launch)
        self._host.enqueue(_Execute(self, launch))

    def suspend(self, epoch: int, run_id: str, attempt: int, why: str) -> None:
        """Pause a run, if it is still in training.

        Raises:
            FencedError: If a newer driver has the worker group.
        """
        self.mailbox.check_epoch(epoch)
        self.mailbox.suspend(run_id, attempt, why)

    def drain(self, epoch: int, reason: str) -> None:
        """Save what is in training and take nothing more.

        Raises:
            FencedError: If a newer driver has the worker group.
        """
        self.mailbox.check_epoch(epoch)
        self.mailbox.drain(reason)

    def consult(self, method: str, *args: object) -> Any:
        """Pass a call on to the executor, from a process that works for it elsewhere."""
        return getattr(self.built, method)(*args)

    def loaded_with(self, problem: Problem | None) -> LoadResult:
        """Build the executor if there is none, and get it ready; return how that went."""
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
        """Look for a driver; yield the seconds until the next look.

        Ends when the worker is an orphan, and has saved its run or taken too long for that: the
        group's resources are to be given back then.
        """
        while not (reason := self.mailbox.deserted()):
            yield LOOK_S
        self.mailbox.drain(reason)
        left_s = SAVE_S
        while self.mailbox.at_work() and left_s > 0:
            yield LOOK_S
            left_s -= LOOK_S
        if self.config.parallel.rank != 0:  # the first rank writes, so it is the last to go
            yield SAVE_S
