"""Simulated plants for the controller: policies with known true scores, observed with noise.

There are two families. The defaults were tuned on `bowls`: saturating scores of a few parameters,
trained by Adam, so weights act late. `tabular` was held out and run once the defaults were fixed:
softmax policies over scored answers, trained by policy gradients on sampled groups.
"""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np

from paretoflow.core.values import FloatArray


class Plant(ABC):
    """A policy of `size` parameters with m scores in [0, 1], and how training moves it."""

    m: int
    size: int
    rate: float
    noise: FloatArray

    @abstractmethod
    def true(self, policy: FloatArray) -> FloatArray:
        """Return the true mean gains, shape (m,)."""

    @abstractmethod
    def gradient(
        self, policy: FloatArray, weights: FloatArray, rng: np.random.Generator
    ) -> FloatArray:
        """Return a noisy ascent direction of the weighted scores, shape (size,)."""

    @abstractmethod
    def prompts(self, policy: FloatArray, which: str, draws: int) -> FloatArray:
        """Return measured gains of a set of prompts, `validation` or `eval`, shape (n, m)."""


@dataclass
class Adam:
    """The optimiser of every plant: what it has gathered makes weights act late."""

    size: int
    step: int = 0
    mean: FloatArray = field(init=False)
    square: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        self.mean, self.square = np.zeros(self.size), np.zeros(self.size)

    def move(self, gradient: FloatArray, rate: float) -> FloatArray:
        self.step += 1
        norm = float(np.linalg.norm(gradient))
        gradient = gradient / max(norm, 1.0)
        self.mean = 0.9 * self.mean + 0.1 * gradient
        self.square = 0.999 * self.square + 0.001 * gradient**2
        mean = self.mean / (1 - 0.9**self.step)
        square = self.square / (1 - 0.999**self.step)
        moved: FloatArray = rate * mean / (np.sqrt(square) + 1e-8)
        return moved


def rate_at(step: int, steps: int) -> float:
    """Return the share of the peak learning rate: warm-up over a tenth, then linear decay."""
    warm = max(steps // 10, 1)
    return step / warm if step <= warm else (steps - step + 1) / (steps - warm + 1)


class Bowls(Plant):
    """Scores that fall off from optima of their own, or saturate along directions of their own."""

    def __init__(self, seed: int, steps: int) -> None:
        rng = np.random.default_rng((seed, 1))
        self.m = int(rng.choice([2, 2, 3]))
        self.size = int(rng.integers(3, 9))
        self.curved = bool(rng.random() < 0.5)
        centre = rng.normal(size=self.size)
        self.optima = centre + rng.normal(size=(self.m, self.size))
        self.width = rng.uniform(0.6, 1.6, self.m) * np.sqrt(self.size)
        clash = rng.normal(size=(self.m, self.size)) / np.sqrt(self.size)
        clash[1:] -= rng.uniform(0.5, 1.2) * clash[0]
        self.slopes = clash * rng.uniform(0.6, 1.5)
        self.drift = rng.uniform(0.0, 0.03)
        self.noise = rng.uniform(0.05, 0.3, self.m)
        self.between = rng.uniform(0.0, 0.1, self.m)
        # an unhampered run travels between half and three times the way between optima
        self.rate = rng.uniform(0.5, 3.0) * 2.0 / steps
        self._seed, self._parent = seed, np.zeros(self.size)
        self._prompts = {
            which: np.random.default_rng((seed, n)).normal(size=(n, self.m, 2))
            for which, n in (("validation", 16), ("eval", 48))
        }

    def true(self, policy: FloatArray) -> FloatArray:
        if self.curved:
            away = ((policy - self.optima) ** 2).sum(axis=1) / self.width**2
            return np.asarray(np.exp(-away))
        raised = self.slopes @ policy - self.drift * float(policy @ policy)
        return np.asarray(1 / (1 + np.exp(-raised)))

    def gradient(
        self, policy: FloatArray, weights: FloatArray, rng: np.random.Generator
    ) -> FloatArray:
        gains = self.true(policy)
        if self.curved:
            own = gains[:, None] * -2 * (policy - self.optima) / self.width[:, None] ** 2
        else:
            own = (gains * (1 - gains))[:, None] * (self.slopes - 2 * self.drift * policy)
        own = own + rng.normal(size=own.shape) * 0.05
        return np.asarray(weights @ own) * 10

    def prompts(self, policy: FloatArray, which: str, draws: int) -> FloatArray:
        effects = self._prompts[which]
        distance = float(np.linalg.norm(policy)) / np.sqrt(self.size)
        salt = zlib.crc32(policy.round(6).tobytes())
        rng = np.random.default_rng((self._seed, salt, draws))
        own = rng.normal(size=effects.shape[:2]) * self.noise / np.sqrt(draws)
        level = effects[:, :, 0] * 0.2 + effects[:, :, 1] * self.between * distance
        return np.asarray(self.true(policy) + level + own)


class Tabular(Plant):
    """A softmax policy over answers, one table for all prompts, each prompt scoring them a little
    otherwise; sampled with the same noise whatever the policy is."""

    def __init__(self, seed: int, steps: int) -> None:
        rng = np.random.default_rng((seed, 2))
        self.m = int(rng.choice([2, 3]))
        self.size = int(rng.integers(12, 60))
        scores = rng.dirichlet(np.full(self.m, 0.7), self.size) * rng.uniform(
            0.6, 1, (self.size, 1)
        )
        self.scores = np.sqrt(scores) if rng.random() < 0.5 else scores
        self.spread = rng.uniform(0.02, 0.15)
        self.noise = np.zeros(self.m)
        self.rate = rng.uniform(0.5, 3.0) * 6.0 / steps
        self._sets = {}
        for which, n in (("validation", 16), ("eval", 48)):
            own = np.random.default_rng((seed, n, 3))
            shift = own.normal(size=(n, self.size, self.m)) * self.spread
            self._sets[which] = (shift, own.random((n, 8)))

    def chances(self, policy: FloatArray) -> FloatArray:
        raised = np.exp(policy - policy.max())
        return np.asarray(raised / raised.sum())

    def true(self, policy: FloatArray) -> FloatArray:
        return np.asarray(self.chances(policy) @ self.scores)

    def gradient(
        self, policy: FloatArray, weights: FloatArray, rng: np.random.Generator
    ) -> FloatArray:
        chances = self.chances(policy)
        drawn = rng.choice(self.size, size=8, p=chances)
        worth = self.scores[drawn] @ weights
        worth = (worth - worth.mean()) / (worth.std() + 1e-2)
        gradient = -chances * worth.sum()
        np.add.at(gradient, drawn, worth)
        return np.asarray(gradient / 8)

    def prompts(self, policy: FloatArray, which: str, draws: int) -> FloatArray:
        shift, uniform = self._sets[which]
        steps = np.cumsum(self.chances(policy))
        drawn = np.minimum(np.searchsorted(steps, uniform[:, :draws]), self.size - 1)
        rows = np.arange(len(shift))[:, None]
        return np.asarray((self.scores[drawn] + shift[rows, drawn]).mean(axis=1))


FAMILIES = {"bowls": Bowls, "tabular": Tabular}
