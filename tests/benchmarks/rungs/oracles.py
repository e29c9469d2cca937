"""Runs with checkpoints, in virtual time: drawn, optimised, or recorded from real trainings.

Each checkpoint's scores are its true gains with noise; `truth` keeps the true ones, which a sweep's
claims are judged by.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from paretoflow.core.ids import digest_of, rng_of
from paretoflow.core.values import FloatArray, Proposal
from tests.benchmarks.proposers.oracles import ExactOracle, ReplayOracle, TruncatedOracle
from tests.benchmarks.proposers.problems import Target
from tests.benchmarks.proposers.trainable import Trainable

NOISE = 0.02
Told = list[tuple[float, list[float], list[float]]]
"""Checkpoints: seconds since the one before, scores, standard errors."""


class CheckpointOracle(Protocol):
    """Answers launches; see `engine.simulated`.

    `truth` has the true gains of each score vector that was told.
    """

    truth: dict[tuple[float, ...], FloatArray]

    def launch(self, proposal: Proposal, rng: np.random.Generator) -> Told:
        """Return a run's checkpoints."""
        ...


@dataclass
class _Telling:
    """Puts noise on true gains, and keeps these.

    Attributes:
        truth: True gains of each score vector that was told.
    """

    truth: dict[tuple[float, ...], FloatArray] = field(default_factory=dict)

    def told(self, path: list[FloatArray], pace: float, rng: np.random.Generator) -> Told:
        """Return checkpoints with these true gains, each of shape (m,), so many seconds apart."""
        found: Told = []
        for gains in path:
            noisy = gains + rng.normal(0.0, NOISE, len(gains))
            scores = tuple(float(v) for v in noisy)
            self.truth[scores] = gains
            found.append((pace, list(scores), [NOISE] * len(gains)))
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

    def launch(self, proposal: Proposal, rng: np.random.Generator) -> Told:
        """Return the checkpoints, equally far apart in time."""
        own = rng_of("rungs", proposal.seed)
        short = own.uniform(0.4, 0.8) if own.random() < self._bad else own.uniform(0.9, 1.0)
        speed = own.uniform(*self._speeds)
        shares = np.arange(1, self._steps + 1) / self._steps
        way = (1 - np.exp(-speed * shares)) / (1 - np.exp(-speed))
        goal = self._front[self._exact.row_of(proposal)]
        return self.told([short * share * goal for share in way], pace_of(proposal), rng)


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
        self._states: dict[tuple[str, int], FloatArray] = {}

    def launch(self, proposal: Proposal, rng: np.random.Generator) -> Told:
        """Return the checkpoints, equally far apart in time."""
        parent = None if proposal.parent is None else self._states[_place_of(proposal.parent)]
        found = self._inner.run(proposal, parent, np.random.default_rng(proposal.seed))
        digest = digest_of(proposal.to_dict())[:6]
        self._states |= {(digest, i): f.state for i, f in enumerate(found, 1)}
        return self.told([f.gains for f in found], pace_of(proposal), rng)


def _place_of(snapshot: str) -> tuple[str, int]:
    """Return a launch's digest and a checkpoint's number; r0004-30fa08-a0-s0003: 30fa08, 3."""
    _, digest, _, step = snapshot.split("-")[:4]
    return digest, int(step[1:])


class RecordedOracle(_Telling):
    """Real runs, replayed; see `proposers.oracles.ReplayOracle`."""

    def __init__(self, path: Path, target: Target) -> None:
        super().__init__()
        self._inner = ReplayOracle(path, target)

    def launch(self, proposal: Proposal, rng: np.random.Generator) -> Told:
        """Return the checkpoints of the recorded run that answers, equally far apart in time."""
        found = self._inner.run(proposal, None, rng)
        return self.told([f.gains for f in found], pace_of(proposal), rng)
