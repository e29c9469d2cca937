"""Worker groups, storage and time of a simulation, which survive the death of a driver.

A worker group follows its `AttemptPlan` and writes each result as a fragment before it reports.
Reports reach the driver that listens at their arrival, or none. The seed decides everything: the
same launches at the same times meet the same faults.
"""

from __future__ import annotations

import errno
import heapq
import os
from dataclasses import replace
from functools import partial

from paretoflow.core.errors import FencedError
from paretoflow.core.ids import rng_of
from paretoflow.core.launch import Launch
from paretoflow.core.status import Boundary
from paretoflow.core.values import Problem
from paretoflow.engine.failures.attribution import failure_in, failure_of
from paretoflow.engine.failures.backoff import Backoffs
from paretoflow.engine.live import GroupPhase, GroupState
from paretoflow.engine.messages import Cause, Failure, Report
from paretoflow.engine.oracles import AnyOracle
from paretoflow.engine.simulation.attempt import SimulatedAttempt, failure_by
from paretoflow.engine.simulation.clock import VirtualTime
from paretoflow.engine.simulation.fault_model import (
    AttemptPlan,
    FaultModel,
    InjectedFault,
    SavedProgress,
    course_of,
)
from paretoflow.engine.simulation.oracle_answers import Answers, CheckedPoint
from paretoflow.engine.simulation.storage import SimulatedStorage
from paretoflow.spec.engine import EngineSpec


class SimulatedCluster:
    """A cluster and its storage in virtual time, shared by a sweep's drivers.

    Args:
        engine: Number of worker groups, limits for giving them up (`run_s`, `silent_s`), and the
            time after which they stop without a driver (`orphan_s`).
        start_s: Start of virtual time; a resumed sweep starts at its last event.

    Attributes:
        answers: Calls the oracle.
        time: The clock.
        storage: Fragments and saved progress of its worker groups.
        epoch: Epoch of the driver that its worker groups accept; -1 before the first.
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
        self.epoch = -1
        self._listening = True
        self._heard_s = start_s
        self.time = VirtualTime(start_s)
        self.storage = SimulatedStorage()

    def take_over(self, epoch: int) -> list[Launch]:
        """Accept a new driver from now on; return the launches of the worker groups.

        Raises:
            FencedError: If the worker groups have a newer driver already.
        """
        self.check(epoch)
        self.epoch, self._listening, self._heard_s = epoch, True, self.time.now_s
        self._inbox.clear()
        for attempt in self._busy():
            if attempt.over:
                self._release(attempt)
            elif attempt.stuck:
                self._watch(attempt, self._limits.silent_s, "fell silent")
        return [attempt.launch for attempt in self._busy()]

    def check(self, epoch: int) -> None:
        """Refuse a driver that is not the newest.

        Raises:
            FencedError: If there is a newer driver.
        """
        if epoch < self.epoch:
            raise FencedError(
                f"the worker groups obey driver epoch {self.epoch}, not {epoch}",
                hint="stop this process: the newer driver goes on",
            )

    def idle(self) -> int:
        """Return the number of idle worker groups."""
        return len(self._idle)

    def states(self) -> list[GroupState]:
        """Return the state of every worker group."""
        return list(self._states)

    def launch(self, launch: Launch) -> None:
        """Give an attempt to an idle worker group: call the oracle now, report its answer later."""
        now_s = self._heard_s = self.time.now_s
        slot = heapq.heappop(self._idle)
        fate = rng_of("weather", self._seed, launch.run_id, launch.attempt)
        attempt = self._groups[slot] = SimulatedAttempt(launch, slot, now_s, fate, now_s)
        self._states[slot] = GroupState(slot, GroupPhase.BUSY, now_s, launch.run_id, launch.attempt)
        points: list[CheckedPoint] = []

        def ask() -> None:
            points.extend(self.answers.of(launch))

        failure = failure_in(ask)
        if failure is not None:
            self._end(attempt, failure)
            return
        begun = self.storage.saved(launch.run_id)
        attempt.course = course_of(points, launch, begun, self._faults, self._limits.silent_s, fate)
        self._follow(attempt, attempt.course)

    def drop(self, launch: Launch) -> None:
        """Stop an attempt without a report."""
        for attempt in self._busy():
            if attempt.launch == launch:
                self._release(attempt)

    def suspend(self, which: tuple[str, int], why: str) -> None:
        """Make an attempt save its state, and report the pause."""
        for attempt in self._busy():
            if (attempt.launch.run_id, attempt.launch.attempt) == which and not attempt.over:
                self._save(attempt)
                attempt.over = True
                step = self.storage.saved(which[0]).checkpoints
                report = attempt.aside(step, self.time.now_s, why)
                self.time.plan(self._late_s(attempt), partial(self._write, attempt, report))

    def advance(self, seconds: float) -> None:
        """Advance the time while a driver is connected."""
        self.time.run_to(self.time.now_s + seconds)
        self._heard_s = self.time.now_s

    def next_reports(self, timeout_s: float) -> list[Report]:
        """Jump to the next event, however far, and return all reports up to its time."""
        if not self._inbox:
            next_s = self.time.next_s()
            self.time.run_to(self.time.now_s + timeout_s if next_s is None else next_s)
        self._heard_s = self.time.now_s
        reports, self._inbox = self._inbox, []
        return reports

    def pass_time(self, seconds: float) -> None:
        """Advance the time without a driver: worker groups continue until they are orphans."""
        until_s = self.time.now_s + seconds
        alone_s = max(self.time.now_s, self._heard_s + self._limits.orphan_s)
        self._listening = False
        self._inbox.clear()
        if until_s >= alone_s:
            self.time.run_to(alone_s)
            self.stop_all()
        self.time.run_to(until_s)

    def stop_all(self) -> None:
        """Make every worker group save its state and stop."""
        self._inbox.clear()
        for attempt in self._busy():
            self._save(attempt)
            self._release(attempt)

    def _busy(self) -> list[SimulatedAttempt]:
        return [a for a in self._groups if a is not None]

    def _follow(self, attempt: SimulatedAttempt, course: AttemptPlan) -> None:
        if course.trouble is InjectedFault.HANG:
            if course.stall_s >= self._limits.silent_s:
                self._watch(attempt, course.trouble_s + self._limits.silent_s, "fell silent")
        elif course.trouble is not None:
            befall = partial(self._befall, attempt, course)
            self.time.plan(course.trouble_s, befall, attempt.has_ended)
        for index, end in enumerate(course.ends):
            reach = partial(self._reach, attempt, index)
            self.time.plan(end, reach, attempt.is_quiet)
        if self._limits.run_s is not None:
            self._watch(attempt, self._limits.run_s, "ran past engine.limits.run_s")

    def _reach(self, attempt: SimulatedAttempt, index: int) -> None:
        """Evaluate a checkpoint; write and report the result, now or late."""
        if any(disk.befalls(attempt.slot, self.time.now_s) for disk in self._faults.full_disks):
            if not attempt.over:  # an attempt that was given up just ends
                self._end(attempt, failure_of(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
            return
        report = attempt.result(index, self.time.now_s)
        self.time.plan(self._late_s(attempt), partial(self._write, attempt, report))

    def _write(self, attempt: SimulatedAttempt, report: Report) -> None:
        self.storage.write(report.events)
        self.storage.save(report.run_id, SavedProgress(report.events[0].step))
        attempt.over |= report.ended
        self._send(attempt, report)

    def _send(self, attempt: SimulatedAttempt, report: Report) -> None:
        """Send a report, perhaps late, perhaps twice."""
        late_s = self._late_s(attempt)
        arrive = partial(self._arrive, attempt, report)
        self.time.plan(late_s, arrive)
        if attempt.befalls(self._faults.duplicate):
            self.time.plan(late_s + attempt.drawn_s(self._faults.delay_s), arrive)

    def _arrive(self, attempt: SimulatedAttempt, report: Report) -> None:
        if report.ended and self._groups[attempt.slot] is attempt:
            self._release(attempt, report.failure)
        if not self._listening:
            return
        if report.failure is not None:  # with all durable rows of the run, as on a real cluster
            report = replace(report, events=tuple(self.storage.of_run(report.run_id)))
        self._inbox.append(report)

    def _befall(self, attempt: SimulatedAttempt, course: AttemptPlan) -> None:
        assert course.trouble is not None
        failure = failure_by(course.trouble)
        if course.trouble is InjectedFault.NODE_LOSS:
            size = self._faults.groups_per_node
            for other in self._busy():
                if other.slot // size == attempt.slot // size and not other.over:
                    self._end(other, failure)
            return
        if course.trouble is InjectedFault.PREEMPT:
            self._save(attempt)
        self._end(attempt, failure)

    def _watch(self, attempt: SimulatedAttempt, in_s: float, why: str) -> None:
        self.time.plan(in_s, partial(self._give_up, attempt, why), attempt.has_ended)

    def _give_up(self, attempt: SimulatedAttempt, why: str) -> None:
        if self._listening:
            message = f"the simulated worker group {why}"
            attempt.given_up = True
            self._end(attempt, Failure(Boundary.WORKER, message, retryable=True))
        else:
            attempt.stuck = True

    def _end(self, attempt: SimulatedAttempt, failure: Failure) -> None:
        """End an attempt without success."""
        attempt.over = True
        launch = attempt.launch
        report = Report(launch.run_id, launch.attempt, ended=True, failure=failure)
        noticed_s = self._faults.noticed_s if failure.cause is Cause.LOST else 0.0
        self.time.plan(noticed_s, partial(self._send, attempt, report))

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

    def _save(self, attempt: SimulatedAttempt) -> None:
        course = attempt.course
        if course is not None and not attempt.over:
            reached = course.reached(min(self.time.now_s - attempt.began_s, course.trouble_s))
            self.storage.save(attempt.launch.run_id, reached)

    def _late_s(self, attempt: SimulatedAttempt) -> float:
        faults = self._faults
        return attempt.drawn_s(faults.delay_s) if attempt.befalls(faults.delay) else 0.0
