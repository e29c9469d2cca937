"""Training and evaluation in virtual time, with scores from an oracle; see `RunExecutor`.

It does what `runtime.executor` does with a run: each result is durable in a fragment before it is
told, a run that is put down is saved, and of several ranks the first evaluates and tells.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from paretoflow.core.errors import RunInterrupted, WorkerError
from paretoflow.core.ids import rng_of
from paretoflow.core.launch import Launch
from paretoflow.core.status import Boundary
from paretoflow.core.values import Problem
from paretoflow.engine.failures.attribution import death_of, failure_in, failure_of
from paretoflow.engine.messages import Cause, Failure, Report
from paretoflow.engine.runtime.protocols import Attempt
from paretoflow.engine.simulation.fault_model import FullDisk, SavedProgress
from paretoflow.engine.simulation.oracle_answers import CheckedPoint
from paretoflow.engine.state.events import calibrated
from paretoflow.ledger.tables import Event
from paretoflow.scoring.preparing import Preparing
from tests.virtual.troubles import Trouble, VirtualAttempt, plan_of

if TYPE_CHECKING:
    from tests.virtual.cluster import VirtualCluster
    from tests.virtual.process import Process

Steps = Generator[float, None, Failure | None]
"""Work that yields the seconds until it goes on, and returns why it failed."""
FOR_EVER_S = 1e7
STEP_S = 5.0
"""Longest time between two signs of life."""
SOON_S = 3.0
"""How long a worker without a driver may go on: it looks once a second, and then makes a step."""
FULL = failure_of(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
OUT_OF_MEMORY = Failure(
    Boundary.WORKER, "out of virtual memory", retryable=True, cause=Cause.OUT_OF_MEMORY
)
CRASHED = Failure(Boundary.METHOD, "the method crashed", retryable=True)
BROKEN = Failure(
    Boundary.WORKER, "the connection broke", True, "", Cause.OUTAGE, "the connection broke"
)


class _Stopped(Exception):  # noqa: N818 - it is no error
    """The run is to be put down."""


@dataclass
class Course:
    """What the ranks of a group share while they train one attempt.

    Attributes:
        stopping: Whether any rank was asked to stop: all of them do then.
        joined: How many ranks have begun: none gets on before all have.
        over: Whether the first rank has trained to the end, or has ended.
        first: The first rank's process.
        steps: How many signs of life the first rank has given: the others stand still with it.
    """

    stopping: bool = False
    joined: int = 0
    over: bool = False
    first: Process | None = field(default=None, repr=False)
    steps: int = 0


class VirtualExecutor:
    """What one process keeps loaded."""

    def __init__(self, cluster: VirtualCluster, process: Process) -> None:
        self._cluster, self._process = cluster, process
        self._rank = process.config.parallel.rank

    def prepare(self, mailbox: Preparing) -> list[Event]:
        """Return the objectives as they are declared."""
        return [calibrated(self._cluster.problem, self._cluster.time.now_s)]

    def ready(self, problem: Problem, mailbox: Preparing) -> list[Event]:
        """Do nothing: there is nothing to load."""
        return []

    def execute(self, launch: Launch, attempt: Attempt) -> Steps:
        """Yield the seconds until the next thing to do; return the failure, or None."""
        key = (self._process.group, launch.run_id, launch.attempt)
        course: Course = self._cluster.courses.setdefault(key, Course())
        course.joined += 1
        if self._rank:
            return self._follow(launch, attempt, course)
        course.first = self._process
        self._cluster.executed.append((launch.run_id, launch.attempt))
        return self._lead(launch, attempt, course)

    def _follow(self, launch: Launch, attempt: Attempt, course: Course) -> Steps:
        """Train with the first rank, and end with it; without it hang, or notice."""
        seen = 0
        while not course.over:
            yield STEP_S / 5
            course.stopping |= attempt.stopping()
            if course.first is not None and course.first.failure is not None:
                if self._cluster.rng.random() < 0.5:
                    return BROKEN
                while not attempt.stopping():  # it waits in a collective
                    yield STEP_S
                return failure_of(RunInterrupted("stopped", launch.run_id))
            if course.steps > seen:  # else it waits in a collective
                attempt.progress()
            seen = course.steps
        yield from self._tidy()
        # a rank that was not asked itself stops with another: the first one tells why
        stopped = attempt.stopping() and not attempt.suspended()
        return failure_of(RunInterrupted("stopped", launch.run_id)) if stopped else None

    def _lead(self, launch: Launch, attempt: Attempt, course: Course) -> Steps:
        failure: Failure | None = None
        try:
            failure = yield from self._train(launch, attempt, course)
        finally:
            course.over = True
        yield from self._tidy()
        if failure is not None:
            now_s = self._cluster.time.now_s
            end = (now_s, launch.run_id, launch.attempt, self._process, failure.message)
            self._cluster.ends.append(end)
        return failure

    def _tidy(self) -> Iterator[float]:
        if self._cluster.faults.tidy_s:
            self._process.deaf = True
            yield self._cluster.drawn_s(self._cluster.faults.tidy_s)
            self._process.deaf = False

    def _train(self, launch: Launch, attempt: Attempt, course: Course) -> Steps:
        ranks = self._process.config.parallel.ranks
        while course.joined < ranks and not attempt.stopping():
            yield STEP_S / 5  # in a collective: no sign of life
        cluster, now_s = self._cluster, self._cluster.time.now_s
        points: list[CheckedPoint] = []
        failure = failure_in(lambda: points.extend(cluster.answers.of(launch)))
        if failure is not None:
            return failure
        fate = rng_of("virtual attempt", cluster.spec.seed, launch.run_id, launch.attempt)
        faults = replace(cluster.faults.attempt, full_disks=())
        if cluster.calm:
            faults = type(faults)()
        silent_s = cluster.spec.engine.limits.silent_s
        begun = cluster.storage.saved(launch.run_id)
        plan = plan_of(points, launch, begun, faults, silent_s, fate)
        slot = self._process.slot
        at = VirtualAttempt(launch, slot, now_s, now_s, plan, fate=fate, plan=plan)
        try:
            return (yield from self._reach_all(at, attempt, course))
        except _Stopped:
            return self._put_down(at, attempt)

    def _reach_all(self, at: VirtualAttempt, attempt: Attempt, course: Course) -> Steps:
        plan, cluster = at.plan, self._cluster
        after = at.fate.random() < cluster.faults.dies / 2
        happened = plan.trouble is None or (plan.trouble is Trouble.CRASH and after)
        for index, end_s in enumerate(plan.ends):
            if not happened and plan.trouble_s <= end_s:
                happened = True
                yield from self._until(at, at.began_s + plan.trouble_s, attempt, course)
                failure = yield from self._befall(at)
                if failure is not None:
                    return failure
            yield from self._until(at, at.began_s + end_s, attempt, course)
            if any(d.befalls(at.slot, cluster.time.now_s) for d in self._disks()):
                cluster.befell["full disk"] += 1
                return FULL
            report = at.result(index, cluster.time.now_s)
            cluster.storage.write(list(report.events))
            cluster.storage.save(report.run_id, SavedProgress(report.events[0].step))
            course.over |= report.ended  # the others have nothing more to train
            if plan.trouble is Trouble.CRASH and plan.trouble_s == end_s and after:
                yield from self._die()  # between the fragment and the report
            delay = cluster.faults.attempt.delay
            if delay and at.fate.random() < delay:
                yield float(at.fate.exponential(cluster.faults.attempt.delay_s))
            attempt.tell(replace(report, ended=False))
        return None

    def _disks(self) -> tuple[FullDisk, ...]:
        return () if self._cluster.calm else self._cluster.faults.attempt.full_disks

    def _befall(self, at: VirtualAttempt) -> Steps:
        """Let an attempt's trouble happen; return a failure that ends it in good order."""
        plan = at.plan
        assert plan.trouble is not None
        self._cluster.befell[plan.trouble.value] += 1
        if plan.trouble is Trouble.HANG:
            self._process.deaf = True
            yield plan.stall_s if at.fate.random() < 0.7 else FOR_EVER_S
            self._process.deaf = False
        elif plan.trouble is Trouble.OUT_OF_MEMORY:
            return OUT_OF_MEMORY
        elif plan.trouble is Trouble.CRASH and at.fate.random() < self._cluster.faults.dies:
            yield from self._die()
        elif plan.trouble is Trouble.CRASH:
            return CRASHED
        return None

    def _die(self) -> Iterator[float]:
        self._process.end(death_of(WorkerError("the worker died: it crashed")))
        yield 0.0

    def _until(
        self, at: VirtualAttempt, end_s: float, attempt: Attempt, course: Course
    ) -> Iterator[float]:
        """Train up to a time, with signs of life.

        Raises:
            _Stopped: If any rank was asked to stop.
        """
        while (left_s := end_s - self._cluster.time.now_s) > 1e-9:
            yield min(left_s, STEP_S)
            attempt.progress()
            course.steps += 1
            launch, process, now_s = at.launch, self._process, self._cluster.time.now_s
            sign = (now_s, launch.run_id, launch.attempt, process.cut_until_s)
            self._cluster.trained.append(sign)
            if now_s > process.heard_s + self._cluster.spec.engine.limits.orphan_s + SOON_S:
                self._cluster.orphaned.append(f"{launch.run_id} on {process.name} at {now_s:g} s")
            course.stopping |= attempt.stopping()
            if course.stopping and end_s - self._cluster.time.now_s > 1e-9:
                raise _Stopped

    def _put_down(self, at: VirtualAttempt, attempt: Attempt) -> Failure | None:
        """Save the run; tell that it is paused where that was asked."""
        cluster, plan, launch = self._cluster, at.plan, at.launch
        now_s = cluster.time.now_s
        cluster.storage.save(launch.run_id, plan.reached(now_s - at.began_s))
        why = attempt.suspended()
        if not why:
            return failure_of(RunInterrupted("stopped", launch.run_id))
        step = cluster.storage.saved(launch.run_id).checkpoints
        report = at.aside(step, now_s, why)
        cluster.storage.write(list(report.events))
        attempt.tell(Report(report.run_id, report.attempt, report.events))
        return None
