"""Thread-safe state of one worker, shared by driver RPCs and the training thread.

Every message goes into an outbox and stays there until the driver confirms that it is in the
ledger. If a driver dies between receiving and recording a message, the next driver receives it
again. The mailbox does not use Ray, and reads the time only from its clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from paretoflow.core.errors import FencedError, RunInterrupted, WorkerError
from paretoflow.core.launch import Launch
from paretoflow.engine.live import Doing, GroupPhase
from paretoflow.engine.messages import Failure, Report
from paretoflow.engine.runtime.poll import LoadResult, Message, PollReply, PollRequest


@dataclass(frozen=True)
class Waiting:
    """A poll that is not answered yet.

    Args:
        phase: Phase of the worker when the poll arrived.
    """

    request: PollRequest
    phase: GroupPhase


class Mailbox:
    """The state of one worker; every method may be called from any thread.

    `poll` answers a driver and blocks its thread meanwhile. `receive`, `has_news` and `answer` are
    its steps, for callers that wait without a thread.

    Args:
        epoch: Epoch of the driver that started the worker.
        orphan_s: Longest time that the worker continues without a call of a driver, in seconds.
        now: Returns the seconds of a clock that is never adjusted.
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
            FencedError: If a newer driver has sent a command before.
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
        """Answer a poll: at once if there is news, else after `wait_s` at the latest.

        Raises:
            FencedError: If a newer driver has called, or calls while this one waits.
        """
        waiting = self.receive(request)
        with self._news:
            self._news.wait_for(lambda: self.has_news(waiting), request.wait_s)
            return self.answer(waiting)

    def receive(self, request: PollRequest) -> Waiting:
        """Receive a poll: delete messages that its driver has recorded, and apply its limits.

        Raises:
            FencedError: If a newer driver has called.
        """
        self.check_epoch(request.epoch)
        with self._news:
            self._orphan_s = request.orphan_s
            self._outbox = [item for item in self._outbox if item[0] > request.recorded]
            return Waiting(request, self._phase)

    def has_news(self, waiting: Waiting) -> bool:
        """Check whether to answer a poll now, before its `wait_s` is over."""
        return (
            self._epoch != waiting.request.epoch
            or any(number > waiting.request.since for number, _ in self._outbox)
            or self._phase is not waiting.phase
        )

    def answer(self, waiting: Waiting) -> PollReply:
        """Answer a poll with all new messages.

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
        """Record that the worker is loading."""
        with self._news:
            self._require_still()
            self._doing = None
            self._enter(GroupPhase.LOADING)

    def loaded(self, message: LoadResult) -> None:
        """Record that loading is over."""
        with self._news:
            self._is_loaded, self._doing = message.error is None, None
            self._post(message)
            self._rest()

    def begin(self, launch: Launch) -> None:
        """Accept a launch.

        Raises:
            WorkerError: If the worker is busy.
            RunInterrupted: If the worker is leaving.
        """
        with self._news:
            self._require_still()
            if self._reason:
                raise RunInterrupted(f"the worker leaves: {self._reason}", launch.run_id)
            self._launch, self._training, self._step = launch, True, -1
            self._suspended = ""
            self._enter(GroupPhase.BUSY)

    def ended(self, failure: Failure | None) -> None:
        """Record that the launch is over."""
        with self._news:
            assert self._launch is not None
            if failure is not None and self._reason:
                failure = replace(failure, message=f"{self._reason}: {failure.message}")
            launch, self._training = self._launch, False
            self._post(Report(launch.run_id, launch.attempt, ended=True, failure=failure))
            self._rest()

    def tell(self, report: Report) -> None:
        """Put a report on the current launch into the outbox."""
        with self._news:
            self._post(report)
            self._moved_at = self._now()

    def progress(self, step: int | None = None) -> None:
        """Record a sign of life, and the optimiser steps done where they are known."""
        with self._news:
            self._moved_at = self._now()
            self._step = self._step if step is None else step

    def doing(self, what: str, done: int, of: int) -> None:
        """Record a sign of life before the first launch, and the worker's progress."""
        with self._news:
            self._moved_at = self._now()
            if of or self._doing is None:  # a mere sign must not replace a count
                self._doing = Doing(what, done, of)

    def drain(self, reason: str) -> None:
        """Request the worker to save and stop its work, and to accept no further launch."""
        with self._news:
            self._reason = self._reason or reason
            if self._phase is not GroupPhase.LOADING:
                self._enter(GroupPhase.LEAVING)

    def stopping(self) -> bool:
        """Check whether the run should save its state and stop."""
        return bool(self._reason or self._suspended)

    def suspend(self, run_id: str, attempt: int, why: str) -> None:
        """Request the pause of a run, unless the worker has ended that attempt."""
        with self._news:
            launch = self._launch
            if self._training and launch and (launch.run_id, launch.attempt) == (run_id, attempt):
                self._suspended = why

    def suspended(self) -> str:
        """Return the reason to pause the run; empty while there is none."""
        return self._suspended

    def deserted(self) -> str:
        """Return the reason why the worker is an orphan; empty while a driver calls it."""
        with self._news:
            silent_s = self._now() - self._heard_at
            orphaned = silent_s > self._orphan_s
            return f"no driver called for {self._orphan_s:g} s" if orphaned else ""

    def at_work(self) -> bool:
        """Check whether the worker is loading or training."""
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
