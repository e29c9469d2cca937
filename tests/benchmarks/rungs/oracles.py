"""Runs with checkpoints, in virtual time: drawn, optimised, or recorded from real trainings.

Each checkpoint's scores are its true gains with noise; `truth` keeps the true gains, which judge a
sweep's claims.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from paretoflow.core.ids import rng_of
from paretoflow.core.values import FloatArray, Proposal
from paretoflow.engine.oracles import OracleCheckpoint, Training, TrainingTask
from tests.benchmarks.proposers.oracles import ExactOracle, ReplayOracle, TruncatedOracle
from tests.benchmarks.proposers.problems import Target
from tests.benchmarks.proposers.trainable import Trainable

NOISE = 0.02


class CheckpointOracle(Training, Protocol):
    """Answers launches; see `engine.oracles`.

    `truth` has the true gains of each reported score vector.
    """

    truth: dict[tuple[float, ...], FloatArray]


@dataclass
class _Telling:
    """Puts noise on true gains, and keeps these.

    Attributes:
        truth: True gains of each reported score vector.
    """

    truth: dict[tuple[float, ...], FloatArray] = field(default_factory=dict)

    def told(
        self, path: Sequence[OracleCheckpoint], pace: float, rng: np.random.Generator
    ) -> list[OracleCheckpoint]:
        """Return checkpoints with noise on their scores, so many seconds apart."""
        found = []
        for point in path:
            gains = np.asarray(point.scores)
            scores = tuple(float(v) for v in gains + rng.normal(0.0, NOISE, len(gains)))
            self.truth[scores] = gains
            found.append(replace(point, cost=pace, scores=scores, stderr=[NOISE] * len(gains)))
        return found


def pace_of(proposal: Proposal) -> float:
    """Return the seconds between a launch's checkpoints: lognormal, about one."""
    return float(rng_of("pace", proposal.seed).lognormal(0.0, 0.3))


class UnevenOracle(_Telling):
    """Runs that differ in where they end, and in how soon they come near it.

    A run goes from the base towards the point that its launch asks for, or to one short of it.

    Args:
        front: Attainable points, shape (k, m).
        bad: Share of runs that end well short of the front.
        speeds: Slowest and fastest: what is left of the way falls by e so many times in a run.
        steps: Checkpoints of a run.
    """

    def __init__(
        self, front: FloatArray, bad: float, speeds: tuple[float, float], steps: int
    ) -> None:
        super().__init__()
        self._front, self._bad, self._speeds, self._steps = front, bad, speeds, steps
        self._exact = ExactOracle(front)

    def train(self, task: TrainingTask, rng: np.random.Generator) -> Sequence[OracleCheckpoint]:
        """Return the checkpoints, equally far apart in time."""
        proposal = task.proposal
        own = rng_of("rungs", proposal.seed)
        short = own.uniform(0.4, 0.8) if own.random() < self._bad else own.uniform(0.9, 1.0)
        speed = own.uniform(*self._speeds)
        shares = np.arange(1, self._steps + 1) / self._steps
        way = (1 - np.exp(-speed * shares)) / (1 - np.exp(-speed))
        goal = self._front[self._exact.row_of(proposal)]
        path = [OracleCheckpoint(1.0, short * share * goal) for share in way]
        return self.told(path, pace_of(proposal), rng)


class OptimiserOracle(_Telling):
    """Runs of an optimiser that stops early, from the base or from a parent's checkpoint.

    Args:
        trainable: The problem.
        target: Its front.
        steps: Checkpoints of a run, five steps of the optimiser apart.
    """

    def __init__(self, trainable: Trainable, target: Target, steps: int) -> None:
        super().__init__()
        self._inner = TruncatedOracle(trainable, target, steps=5 * steps, looks=steps)

    def train(self, task: TrainingTask, rng: np.random.Generator) -> Sequence[OracleCheckpoint]:
        """Return the checkpoints, equally far apart in time."""
        found = self._inner.train(task, np.random.default_rng(task.proposal.seed))
        return self.told(found, pace_of(task.proposal), rng)


class RecordedOracle(_Telling):
    """Real runs, replayed; see `proposers.oracles.ReplayOracle`."""

    def __init__(self, path: Path, target: Target) -> None:
        super().__init__()
        self._inner = ReplayOracle(path, target)

    def train(self, task: TrainingTask, rng: np.random.Generator) -> Sequence[OracleCheckpoint]:
        """Return the checkpoints of the recorded run that answers, equally far apart in time."""
        return self.told(self._inner.train(task, rng), pace_of(task.proposal), rng)
