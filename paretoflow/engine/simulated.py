"""A backend in virtual time over an oracle: whole sweeps, stragglers and crashes, in seconds.

The contract of an oracle, for those who write one: an object with

    launch(proposal, rng) -> [(cost, scores), …]

called once for every attempt of a run. `proposal` is a `core.values.Proposal`: its `weights` (m,)
behave as a numpy array; a constrained one also has `target` and `thresholds` (oriented: larger is
better), and `parent`, the name of the snapshot that it starts from. `rng` is a
`numpy.random.Generator` that depends on the sweep's seed, the run and the attempt alone. Each item
of the answer is a checkpoint in order: `cost` in virtual seconds since the one before, `scores` the
raw score vector, length m, in the order of the spec's objectives. A third item, the standard
errors, length m, may follow. A non-finite score or an exception is a failed attempt.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from paretoflow.core.errors import ObjectiveError
from paretoflow.core.ids import rng_of
from paretoflow.core.status import Boundary
from paretoflow.core.values import Cost, FloatArray, Problem, Proposal
from paretoflow.engine.backend import Failure, Launch, Report
from paretoflow.engine.faults import failure_in
from paretoflow.engine.happenings import Measured, calibrated, evaluated, finished
from paretoflow.engine.live import GangState
from paretoflow.ledger.tables import Event

_CheckedPoint = tuple[float, FloatArray, FloatArray]
"""Cost in virtual seconds, raw scores (m,), standard errors (m,)."""


class Oracle(Protocol):
    """Answers a launch with the checkpoints that a real run would have had."""

    def launch(self, proposal: Proposal, rng: np.random.Generator) -> Sequence[tuple[Any, ...]]:
        """Return (cost in seconds, raw scores) of every checkpoint, in order."""
        ...


@dataclass(frozen=True)
class Weather:
    """What goes wrong in a simulation, each as a probability of an attempt.

    Args:
        crash: The worker dies somewhere on the way.
        straggle: The attempt takes `straggle_factor` times as long.
    """

    crash: float = 0.0
    straggle: float = 0.0
    straggle_factor: float = 5.0


class SimulatedBackend:
    """Executes launches by asking an oracle, in virtual time.

    Args:
        start_s: Virtual time to begin at; a resumed sweep begins at its last event.
    """

    def __init__(
        self,
        oracle: Oracle,
        problem: Problem,
        *,
        seed: int,
        workers: int,
        weather: Weather | None = None,
        start_s: float = 0.0,
    ) -> None:
        self._oracle = oracle
        self._problem = problem
        self._seed = seed
        self._weather = weather or Weather()
        self._free = workers
        self._now = start_s
        self._queue: list[tuple[float, int, Report]] = []
        self._told = 0

    def adopt(self, epoch: int) -> list[Launch]:
        """Return nothing: simulated gangs end with their driver."""
        return []

    def prepare(self, problem: Problem | None) -> list[Event]:
        """Return the calibration; an oracle has no base model to evaluate."""
        return [] if problem else [calibrated(self._problem, self._now)]

    def now(self) -> float:
        """Return the virtual time."""
        return self._now

    def pause(self, seconds: float) -> None:
        """Let virtual time pass."""
        self._now += seconds

    def free(self) -> int:
        """Return the number of idle simulated workers."""
        return self._free

    def launch(self, launch: Launch) -> None:
        """Ask the oracle now, and tell its answer when the virtual time has come."""
        self._free -= 1
        rng = rng_of("oracle", self._seed, launch.run_id, launch.attempt)
        fate = rng_of("weather", self._seed, launch.run_id, launch.attempt)
        slow = self._weather.straggle_factor if fate.random() < self._weather.straggle else 1.0
        checkpoints: list[_CheckedPoint] = []

        def ask() -> None:
            answer = self._oracle.launch(launch.proposal, rng)
            checkpoints.extend(_checked(c, self._problem, launch) for c in answer)
            if not checkpoints:
                raise ObjectiveError("the oracle returned no checkpoint", launch.run_id)

        failure = failure_in(ask)
        if failure is not None:
            ended = Report(launch.run_id, launch.attempt, ended=True, failure=failure)
            self._tell(self._now, ended)
            return
        crash_at = (
            int(fate.integers(len(checkpoints))) if fate.random() < self._weather.crash else -1
        )
        self._schedule(launch, checkpoints, slow, crash_at)

    def _schedule(
        self, launch: Launch, checkpoints: list[_CheckedPoint], slow: float, crash_at: int
    ) -> None:
        at = self._now
        for index, (cost, scores, stderr) in enumerate(checkpoints):
            at += cost * slow
            if index == crash_at:
                failure = Failure(Boundary.WORKER, "the simulated worker died", retryable=True)
                self._tell(at, Report(launch.run_id, launch.attempt, ended=True, failure=failure))
                return
            last = index == len(checkpoints) - 1
            measured = Measured(
                launch.run_id, launch.attempt, index + 1, scores, stderr, scores[:, None]
            )
            row = evaluated(
                measured,
                time_s=at,
                cost=Cost(cost * slow, cost * slow),
                weights=launch.proposal.weights.values,
            )
            ending = (finished(launch.run_id, launch.attempt, at),) if last else ()
            self._tell(at, Report(launch.run_id, launch.attempt, (row, *ending), ended=last))

    def _tell(self, at: float, report: Report) -> None:
        self._told += 1
        heapq.heappush(self._queue, (at, self._told, report))

    def poll(self, timeout_s: float) -> list[Report]:
        """Jump to the next happening, however far, and return all that happens at that time."""
        if not self._queue:
            self._now += timeout_s
            return []
        self._now = max(self._now, self._queue[0][0])
        reports = []
        while self._queue and self._queue[0][0] <= self._now:
            reports.append(heapq.heappop(self._queue)[2])
        self._free += sum(r.ended for r in reports)
        return reports

    def drop(self, launch: Launch) -> None:
        """Forget what an attempt would still have told."""
        attempt = (launch.run_id, launch.attempt)
        kept = [e for e in self._queue if (e[2].run_id, e[2].attempt) != attempt]
        self._free += len(kept) < len(self._queue)
        self._queue = kept
        heapq.heapify(self._queue)

    def gangs(self) -> Sequence[GangState]:
        """Return nothing: only their number is simulated."""
        return ()

    def leave(self) -> None:
        """Forget what has not happened yet."""
        self.close()

    def close(self) -> None:
        """Forget what has not happened yet."""
        self._queue.clear()


def _checked(checkpoint: tuple[Any, ...], problem: Problem, launch: Launch) -> _CheckedPoint:
    """Return (cost, scores, stderr) of an oracle's checkpoint, or say what is wrong with it."""
    cost, values, *rest = checkpoint
    scores = np.asarray(values, dtype=np.float64)
    stderr = np.asarray(rest[0], dtype=np.float64) if rest else np.zeros(problem.m)
    if scores.shape != (problem.m,) or stderr.shape != (problem.m,):
        raise ObjectiveError(
            f"the oracle returned scores of shape {scores.shape}, not ({problem.m},)", launch.run_id
        )
    bad = [n for n, s in zip(problem.names, scores, strict=True) if not np.isfinite(s)]
    if bad or not np.isfinite(cost) or cost < 0:
        raise ObjectiveError(
            f"the oracle returned a non-finite score for {', '.join(bad) or 'cost'}", launch.run_id
        )
    return float(cost), scores, stderr
