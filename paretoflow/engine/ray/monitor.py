"""Take in what worker groups report; replace those that fail, load those that are placed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ray.exceptions import RayError

from paretoflow.core.errors import ChangedInputsError, FencedError, ParetoflowError
from paretoflow.core.values import Problem
from paretoflow.engine.failures.attribution import failure_of
from paretoflow.engine.failures.backoff import Rests
from paretoflow.engine.live import GangPhase
from paretoflow.engine.messages import Cause, Failure, Launch, Report
from paretoflow.engine.ray.errors import loss_of
from paretoflow.engine.ray.pool import Roster
from paretoflow.engine.ray.transport import answered
from paretoflow.engine.ray.worker_group import Gang
from paretoflow.ledger.fragments import read_fragments
from paretoflow.ledger.tables import EventKind
from paretoflow.storage import Folder


class GroupMonitor:
    """Watches over the worker groups of a pool.

    Args:
        folder: The sweep's.
        roster: The pool.
        now: Returns the backend's time, in seconds since the epoch.
        alone: Whether a worker goes on by itself when its run has failed: no other waits for it.

    Attributes:
        problem: The frozen objectives, which groups load; None while nobody knows them.
        rests: The groups that wait after an outage.
    """

    def __init__(
        self, folder: Folder, roster: Roster, now: Callable[[], float], *, alone: bool
    ) -> None:
        self._folder = folder
        self._roster = roster
        self._now = now
        self._alone = alone
        self.problem: Problem | None = None
        self.rests = Rests()

    def hear(self, timeout_s: float) -> list[Report]:
        """Wait at most `timeout_s` seconds for news of any group; return all there is.

        Raises:
            ChangedInputsError: If a group finds that what scores depend on has changed.
            FencedError: If a newer driver has taken the groups over.
        """
        self._roster.look_around()
        self._roster.admit()
        for gang in self._roster:
            gang.listen()
        told = answered([r for g in self._roster for r in g.awaited()], timeout_s)
        return [report for gang in self._roster for report in self._take(gang, told)]

    def _take(self, gang: Gang, answered: set[Any]) -> list[Report]:
        run_id = gang.launch.run_id if gang.launch else ""
        try:
            told = gang.take(answered)
        except FencedError:
            raise
        except RayError as error:
            return self.lose(gang, loss_of(error, run_id))
        except ParetoflowError as error:
            return self.lose(gang, failure_of(error))
        failure = gang.trouble()
        if failure is not None:
            return [*told, *self.lose(gang, failure)]
        for report in told:
            if report.ended:
                self.rests.ended(gang.state(), report.failure, self._now())
        self._look_after(gang, broken=any(self._breaks(r.failure) for r in told if r.failure))
        return told

    def _breaks(self, failure: Failure) -> bool:
        """Return whether a failure may leave ranks out of step, or their memory in pieces."""
        return not self._alone or failure.cause is Cause.OUT_OF_MEMORY

    def _look_after(self, gang: Gang, *, broken: bool) -> None:
        """Let a gang go that is done, make one load that has not."""
        if isinstance(gang.error, ChangedInputsError) and not self._roster.closing:
            error = gang.error
            self._roster.replace(gang)
            raise error
        if gang.error is not None:
            if not gang.leaving:  # else it was asked to put its loading down
                self._roster.stumble(gang.slot, gang.error)
            self._roster.replace(gang)
        elif gang.launch is None and (gang.leaving or broken):
            self._roster.replace(gang)
        elif gang.ready is None:
            self._roster.placed(gang)
            if gang.phase is GangPhase.LOADING and self.problem is not None:
                gang.load(self.problem)

    def lose(self, gang: Gang, failure: Failure) -> list[Report]:
        """Remove a gang; end its attempt with all that it had made durable."""
        if not all(m.loaded for m in gang.members):
            self._roster.stumble(gang.slot, failure)
        if gang.leaving:
            message = f"{gang.leaving}: {failure.message}"
            failure = replace(failure, message=message, cause=Cause.LOST, outage="")
        if failure.outage:
            self.rests.ended(gang.state(), failure, self._now())
        self._roster.replace(gang)
        return [self._lost(gang.launch, failure)] if gang.launch is not None else []

    def _lost(self, launch: Launch, failure: Failure) -> Report:
        aside: list[str] = []
        events = read_fragments(
            self._folder, run_id=launch.run_id, damaged=lambda e: aside.append(e.where)
        )
        done = any(event.kind is EventKind.FINISHED for event in events)
        if aside:
            told = f"{failure.message}; damaged and set aside: {', '.join(aside)}"
            failure = replace(failure, message=told)
        why = None if done else failure
        return Report(launch.run_id, launch.attempt, tuple(events), ended=True, failure=why)
