"""What a rank of a worker group is at, between the driver that calls it and the run that it trains.

Everything that happens goes into an outbox and stays there until the driver says that it is in the
ledger: a driver that dies between hearing and recording leaves the next one to hear it again. Knows
nothing of Ray, and of time no more than its clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from paretoflow.core.errors import FencedError, ParetoflowError, RunInterrupted, WorkerError
from paretoflow.core.launch import Launch
from paretoflow.engine.live import Doing, GroupPhase
from paretoflow.engine.messages import Failure, Report
from paretoflow.ledger.tables import Event


@dataclass(frozen=True)
class LoadResult:
    """A rank has loaded, or could not.

    Args:
        events: The calibration and the base's evaluation, where it did the shared stage.
        error: Why it could not; None when it did.
    """

    events: tuple[Event, ...] = ()
    error: ParetoflowError | None = None


Message = LoadResult | Report


@dataclass(frozen=True)
class PollRequest:
    """What a driver says each time it asks for news.

    Args:
        epoch: The driver's epoch in the ledger.
        since: Number of the newest message that it has; -1 for none.
        recorded: Number of the newest message that is safe in the ledger, and may be forgotten.
        wait_s: How long it would wait for news.
        orphan_s: How long the rank shall go on without hearing from a driver.
    """

    epoch: int
    since: int
    recorded: int
    wait_s: float
    orphan_s: float


@dataclass(frozen=True)
class PollReply:
    """What a rank answers.

    Args:
        messages: Those since the call's, each with its number.
        launch: What it was last given; None if nothing yet.
        training: Whether it still works on that.
        loaded: Whether it can take a launch once it is idle.
        phase_s: Seconds since the phase began.
        still_s: Seconds since the last sign of progress.
        step: Optimiser steps done of the launch; -1 when not known.
        reason: Why it leaves; empty while it does not.
        doing: How far it is with what comes before the first launch.
    """

    messages: tuple[tuple[int, Message], ...]
    phase: GroupPhase
    launch: Launch | None
    training: bool
    loaded: bool
    phase_s: float
    still_s: float
    step: int
    reason: str
    doing: Doing | None = None


@dataclass(frozen=True)
class Waiting:
    """A call for news that is not answered yet.

    Args:
        phase: What the rank was about when it came.
    """

    request: PollRequest
    phase: GroupPhase


class Mailbox:
    """The state of one rank; every method may be called from any thread.

    A call for news is `poll`, where a thread waits for it; `receive`, `has_news` and `answer` are
    its steps, for whoever waits without one.

    Args:
        epoch: The driver that started the rank.
        orphan_s: How long the rank goes on without hearing from a driver.
        now: Returns seconds that nobody sets.
    """

    def __init__(
        self, epoch: int, orphan_s: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._news = threading.Condition()
        self._now = now
        self._epoch = epoch
        self._orphan_s = orphan_s
        self._outbox: list[tuple[int, Message]] = []
        self._number = -1
        self._phase = GroupPhase.IDLE
        self._launch: Launch | None = None
        self._training = self._is_loaded = False
        self._step = -1
        self._doing: Doing | None = None
        self._reason = self._suspended = ""
        self._phase_at = self._moved_at = self._heard_at = now()

    def check_epoch(self, epoch: int) -> None:
        """Record the epoch of a command.

        Raises:
            FencedError: If a newer driver has commanded before.
        """
        with self._news:
            self._fence(epoch)
            if epoch > self._epoch:
                self._epoch = epoch
                self._news.notify_all()
            self._heard_at = self._now()

    def _fence(self, epoch: int) -> None:
        if epoch < self._epoch:
            raise FencedError(
                f"a newer driver (epoch {self._epoch}) has taken over this sweep's worker groups",
                f"driver epoch {epoch}",
                "let the newer one work; `paretoflow status` says where it runs",
            )

    def poll(self, request: PollRequest) -> PollReply:
        """Answer a call: at once if there is news for it, else after `wait_s` at the latest.

        Raises:
            FencedError: If a newer driver has called, or calls while this one waits.
        """
        waiting = self.receive(request)
        with self._news:
            self._news.wait_for(lambda: self.has_news(waiting), request.wait_s)
            return self.answer(waiting)

    def receive(self, request: PollRequest) -> Waiting:
        """Take in a call: forget what its driver has recorded, and obey its limits.

        Raises:
            FencedError: If a newer driver has called.
        """
        self.check_epoch(request.epoch)
        with self._news:
            self._orphan_s = request.orphan_s
            self._outbox = [item for item in self._outbox if item[0] > request.recorded]
            return Waiting(request, self._phase)

    def has_news(self, waiting: Waiting) -> bool:
        """Return whether a call is to be answered now, however long it would wait."""
        return (
            self._epoch != waiting.request.epoch
            or self._number > waiting.request.since
            or self._phase is not waiting.phase
        )

    def answer(self, waiting: Waiting) -> PollReply:
        """Answer a call with all that is new to it.

        Raises:
            FencedError: If a newer driver has called since.
        """
        with self._news:
            self._fence(waiting.request.epoch)
            self._heard_at = now = self._now()
            return PollReply(
                tuple(item for item in self._outbox if item[0] > waiting.request.since),
                self._phase,
                self._launch,
                self._training,
                self._is_loaded,
                now - self._phase_at,
                now - self._moved_at,
                self._step,
                self._reason,
                self._doing,
            )

    def loading(self) -> None:
        """Note that the rank loads."""
        with self._news:
            self._require_still()
            self._doing = None
            self._enter(GroupPhase.LOADING)

    def loaded(self, message: LoadResult) -> None:
        """Note that loading is over."""
        with self._news:
            self._is_loaded, self._doing = message.error is None, None
            self._post(message)
            self._rest()

    def begin(self, launch: Launch) -> None:
        """Take a launch.

        Raises:
            WorkerError: If the rank is at work already.
            RunInterrupted: If it leaves.
        """
        with self._news:
            self._require_still()
            if self._reason:
                raise RunInterrupted(f"the worker leaves: {self._reason}", launch.run_id)
            self._launch, self._training, self._step = launch, True, -1
            self._suspended = ""
            self._enter(GroupPhase.BUSY)

    def ended(self, failure: Failure | None) -> None:
        """Note that the launch is over."""
        with self._news:
            assert self._launch is not None
            if failure is not None and self._reason:
                failure = replace(failure, message=f"{self._reason}: {failure.message}")
            launch, self._training = self._launch, False
            self._post(Report(launch.run_id, launch.attempt, ended=True, failure=failure))
            self._rest()

    def tell(self, report: Report) -> None:
        """Put a report of the launch in work into the outbox."""
        with self._news:
            self._post(report)
            self._moved_at = self._now()

    def progress(self, step: int | None = None) -> None:
        """Note a sign of life, and the optimiser steps done where they are known."""
        with self._news:
            self._moved_at = self._now()
            self._step = self._step if step is None else step

    def doing(self, what: str, done: int, of: int) -> None:
        """Note a sign of life before the first launch, and how far the rank is."""
        with self._news:
            self._moved_at = self._now()
            if of or self._doing is None:  # a count says more than a mere sign
                self._doing = Doing(what, done, of)

    def drain(self, reason: str) -> None:
        """Ask the rank to put down what it is at, and take nothing more."""
        with self._news:
            self._reason = self._reason or reason
            if self._phase is not GroupPhase.LOADING:
                self._enter(GroupPhase.LEAVING)

    def stopping(self) -> bool:
        """Return whether the run is to be put down where it is."""
        return bool(self._reason or self._suspended)

    def suspend(self, run_id: str, attempt: int, why: str) -> None:
        """Ask for a run to be paused, unless the rank has ended that attempt."""
        with self._news:
            launch = self._launch
            if self._training and launch and (launch.run_id, launch.attempt) == (run_id, attempt):
                self._suspended = why

    def suspended(self) -> str:
        """Return why the run is to be paused; empty while it is not."""
        return self._suspended

    def deserted(self) -> str:
        """Return why the rank is an orphan; empty while it hears from a driver."""
        with self._news:
            silent_s = self._now() - self._heard_at
            orphaned = silent_s > self._orphan_s
            return f"no driver called for {self._orphan_s:g} s" if orphaned else ""

    def at_work(self) -> bool:
        """Return whether the rank loads or trains."""
        return self._training or self._phase is GroupPhase.LOADING

    def _require_still(self) -> None:
        if self.at_work():
            raise WorkerError(f"the worker is {self._phase.value} already")

    def _rest(self) -> None:
        self._enter(GroupPhase.LEAVING if self._reason else GroupPhase.IDLE)

    def _enter(self, phase: GroupPhase) -> None:
        self._phase = phase
        self._phase_at = self._moved_at = self._now()
        self._news.notify_all()

    def _post(self, message: Message) -> None:
        self._number += 1
        self._outbox.append((self._number, message))
        self._news.notify_all()
