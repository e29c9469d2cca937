"""Worker groups, storage and time of a simulation, for one driver.

A worker group follows its `AttemptPlan` and stores each result before it reports. The seed decides
everything: the same launches at the same times meet the same faults.
"""

from __future__ import annotations

import errno
import heapq
import math
import os
from dataclasses import replace
from functools import partial

from paretoflow.core.ids import rng_of
from paretoflow.core.launch import Launch
from paretoflow.core.status import Boundary
from paretoflow.core.values import Problem
from paretoflow.engine.failures.attribution import failure_in, failure_of
from paretoflow.engine.failures.backoff import Backoffs
from paretoflow.engine.live import GroupPhase, GroupState
from paretoflow.engine.messages import Failure, Report
from paretoflow.engine.oracles import AnyOracle
from paretoflow.engine.simulation.attempt import SimulatedAttempt
from paretoflow.engine.simulation.clock import VirtualTime
from paretoflow.engine.simulation.fault_model import (
    AttemptPlan,
    FaultModel,
    SavedProgress,
    course_of,
)
from paretoflow.engine.simulation.oracle_answers import Answers, CheckedPoint
from paretoflow.engine.simulation.storage import SimulatedStorage
from paretoflow.spec.engine import EngineSpec

_CRASHED = Failure(Boundary.WORKER, "the simulated worker died", retryable=True)


class SimulatedCluster:
    """A cluster and its storage in virtual time.

    Args:
        engine: Number of worker groups, and the limit for giving them up (`run_s`).
        start_s: Start of virtual time; a resumed sweep starts at its last event.

    Attributes:
        answers: Calls the oracle.
        time: The clock.
        storage: Results and saved progress of its worker groups.
    """

    def __init__(
        self,
        oracle: AnyOracle,
        problem: Problem,
        engine: EngineSpec,
        *,
        seed: int,
        faults: FaultModel | None = None,
        start_s: float = 0.0,
    ) -> None:
        self.answers = Answers(oracle, problem, seed)
        self.problem = problem
        self._seed = seed
        self._faults = faults or FaultModel()
        self._limits = engine.limits
        self._groups: list[SimulatedAttempt | None] = [None] * engine.worker_groups
        self._states = [
            GroupState(i, GroupPhase.IDLE, start_s) for i in range(engine.worker_groups)
        ]
        self._idle = list(range(engine.worker_groups))
        self._inbox: list[Report] = []
        self._backoffs = Backoffs()
        self.time = VirtualTime(start_s)
        self.storage = SimulatedStorage()

    def idle(self) -> int:
        """Return the number of idle worker groups."""
        return len(self._idle)

    def states(self) -> list[GroupState]:
        """Return the state of every worker group."""
        return list(self._states)

    def launch(self, launch: Launch) -> None:
        """Give an attempt to an idle worker group: call the oracle now, report its answer later."""
        now_s = self.time.now_s
        slot = heapq.heappop(self._idle)
        fate = rng_of("weather", self._seed, launch.run_id, launch.attempt)
        attempt = self._groups[slot] = SimulatedAttempt(launch, slot, now_s, now_s)
        self._states[slot] = GroupState(slot, GroupPhase.BUSY, now_s, launch.run_id, launch.attempt)
        points: list[CheckedPoint] = []

        def ask() -> None:
            points.extend(self.answers.of(launch))

        failure = failure_in(ask)
        if failure is not None:
            self._end(attempt, failure)
            return
        begun = self.storage.saved(launch.run_id)
        attempt.course = course_of(points, begun, self._faults, fate)
        self._follow(attempt, attempt.course)

    def suspend(self, which: tuple[str, int], why: str) -> None:
        """Make an attempt save its state, and report the pause."""
        for attempt in self._busy():
            launch, course = attempt.launch, attempt.course
            if (launch.run_id, launch.attempt) == which and not attempt.over and course is not None:
                reached = course.reached(self.time.now_s - attempt.began_s)
                self.storage.save(launch.run_id, reached)
                attempt.over = True
                step = self.storage.saved(launch.run_id).checkpoints
                self._report(attempt, attempt.aside(step, self.time.now_s, why))

    def advance(self, seconds: float) -> None:
        """Advance the time."""
        self.time.run_to(self.time.now_s + seconds)

    def next_reports(self, timeout_s: float) -> list[Report]:
        """Jump to the next event, however far, and return all reports up to its time."""
        if not self._inbox:
            next_s = self.time.next_s()
            self.time.run_to(self.time.now_s + timeout_s if next_s is None else next_s)
        reports, self._inbox = self._inbox, []
        return reports

    def stop_all(self) -> None:
        """Stop every worker group."""
        self._inbox.clear()
        for attempt in self._busy():
            self._release(attempt)

    def _busy(self) -> list[SimulatedAttempt]:
        return [a for a in self._groups if a is not None]

    def _follow(self, attempt: SimulatedAttempt, course: AttemptPlan) -> None:
        ended = attempt.has_ended
        if math.isfinite(course.crash_s):
            self._plan_end(attempt, course.crash_s, _CRASHED)
        for index, end in enumerate(course.ends):
            self.time.plan(end, partial(self._reach, attempt, index), ended)
        if self._limits.run_s is not None:
            words = "the simulated worker group ran past engine.limits.run_s"
            self._plan_end(attempt, self._limits.run_s, Failure(Boundary.WORKER, words, True))

    def _plan_end(self, attempt: SimulatedAttempt, in_s: float, failure: Failure) -> None:
        self.time.plan(in_s, partial(self._end, attempt, failure), attempt.has_ended)

    def _reach(self, attempt: SimulatedAttempt, index: int) -> None:
        """Evaluate a checkpoint; store and report the result."""
        if any(disk.befalls(attempt.slot, self.time.now_s) for disk in self._faults.full_disks):
            self._end(attempt, failure_of(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
            return
        self._report(attempt, attempt.result(index, self.time.now_s))

    def _report(self, attempt: SimulatedAttempt, report: Report) -> None:
        self.storage.write(report.events)
        self.storage.save(report.run_id, SavedProgress(report.events[0].step))
        attempt.over |= report.ended
        self.time.plan(0.0, partial(self._arrive, attempt, report))

    def _arrive(self, attempt: SimulatedAttempt, report: Report) -> None:
        if report.ended and self._groups[attempt.slot] is attempt:
            self._release(attempt, report.failure)
        if report.failure is not None:  # with all durable rows of the run, as on a real cluster
            report = replace(report, events=tuple(self.storage.of_run(report.run_id)))
        self._inbox.append(report)

    def _end(self, attempt: SimulatedAttempt, failure: Failure) -> None:
        """End an attempt without success."""
        attempt.over = True
        launch = attempt.launch
        report = Report(launch.run_id, launch.attempt, ended=True, failure=failure)
        self.time.plan(0.0, partial(self._arrive, attempt, report))

    def _release(self, attempt: SimulatedAttempt, failure: Failure | None = None) -> None:
        attempt.over = True
        self._groups[attempt.slot] = None
        now_s, slot = self.time.now_s, attempt.slot
        rest = self._backoffs.ended(self._states[slot], failure, now_s)
        self._states[slot] = GroupState(slot, GroupPhase.IDLE, now_s)
        if rest is not None:
            self._states[slot] = self._backoffs.shown(self._states[slot], now_s)
            self.time.plan(rest.until_s - now_s, partial(self._rested, slot))
            return
        heapq.heappush(self._idle, slot)

    def _rested(self, slot: int) -> None:
        self._states[slot] = GroupState(slot, GroupPhase.IDLE, self.time.now_s)
        heapq.heappush(self._idle, slot)
