"""The weather of one sweep: noise, failures, run times, a straggler; derived from its seed alone.

Run k of a sweep has the same luck for all proposers, so that proposers compare in pairs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from paretoflow.core.ids import rng_of
from paretoflow.core.values import FloatArray

NOISES = (0.0, 0.01, 0.03, 0.05)
SIGMAS = (0.25, 0.5, 1.0)
CREWS = (8, 32)
SEEDS = len(NOISES) * len(SIGMAS) * len(CREWS)
"""So many seeds see every combination once."""
CORRELATION = 0.5
FAILURES = 0.02
STRAGGLER = 5.0
SEED_EFFECT = 0.5
"""Scale of the loss of a run's true values by its own luck, in standard errors."""


@dataclass(frozen=True)
class Luck:
    """What one run meets.

    Args:
        fails: Whether it fails.
        hours: How long it takes on an ordinary worker; 1 on average.
        loss: What training takes from its true gains, shape (m,): evaluating again does not help.
        noise: Generator of its evaluations' errors.
    """

    fails: bool
    hours: float
    loss: FloatArray
    noise: np.random.Generator


@dataclass(frozen=True)
class Weather:
    """One sweep's.

    Args:
        seed: Decides all draws.
        problem: Name of the problem; sweeps of others have other draws.
        noise: Standard error of an evaluation, in normalised gains.
        sigma: Of the logarithm of run times.
        workers: How many; the first is a straggler that takes five times as long.
        failures: Share of runs that fail.
    """

    seed: int
    problem: str
    noise: float = 0.0
    sigma: float = 0.5
    workers: int = 8
    failures: float = FAILURES
    straggler: float = field(default=STRAGGLER)

    @classmethod
    def of(cls, seed: int, problem: str) -> Weather:
        """Return the weather of a seed: `SEEDS` in a row meet every combination once."""
        noise = NOISES[seed % len(NOISES)]
        sigma = SIGMAS[seed // len(NOISES) % len(SIGMAS)]
        workers = CREWS[seed // (len(NOISES) * len(SIGMAS)) % len(CREWS)]
        return cls(seed, problem, noise, sigma, workers)

    def luck(self, run: int, m: int) -> Luck:
        """Return what the sweep's run number `run` meets.

        Its loss is half a standard error times the size of a normal draw, so that no run passes the
        front; objectives correlate as evaluations on the same prompts do.
        """
        rng = rng_of("weather", self.problem, self.seed, run)
        fails = bool(rng.random() < self.failures)
        hours = float(np.exp(self.sigma * rng.standard_normal() - self.sigma**2 / 2))
        loss = SEED_EFFECT * self.noise * np.abs(correlated(rng, m))
        return Luck(fails, hours, loss, rng)

    def measured(self, truth: FloatArray, luck: Luck) -> FloatArray:
        """Return what an evaluation of true gains shows, shape (m,)."""
        return np.asarray(truth + self.noise * correlated(luck.noise, len(truth)))


def correlated(rng: np.random.Generator, m: int) -> FloatArray:
    """Return standard normal draws, shape (m,), any two of which correlate by `CORRELATION`."""
    shared, own = rng.standard_normal(), rng.standard_normal(m)
    return np.asarray(np.sqrt(CORRELATION) * shared + np.sqrt(1 - CORRELATION) * own)
