"""Synthetic sweeps with the score of every prompt, and the true scores of their policies.

convex      a convex front; scores are normal, prompts easy or hard for all policies, and easier for
            some policies than for others
concave     a concave front
saturating  chances and lengths: bounded and skewed scores, most weights end near one point
llm_like    the oracle that ships with ParetoFlow; nothing was tuned on it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paretoflow.core.values import (
    Direction,
    FloatArray,
    LaunchKind,
    ObjectiveInfo,
    Problem,
    Proposal,
    WeightVector,
)
from paretoflow.engine.oracles import Snapshot, TrainingTask
from paretoflow.engine.simulation.llm_like import LlmLikeOracle, Prompts

WORLDS = ("llm_like", "saturating", "convex", "concave")
PROMPTS = 48
_NODES, _ODDS = np.polynomial.hermite_e.hermegauss(40)


@dataclass(frozen=True)
class Scored:
    """Evaluations of a sweep, in their order.

    Args:
        gains: Of every prompt, shape (k, m, n).
        truth: Over infinitely many prompts and answers, shape (k, m).
    """

    gains: FloatArray
    truth: FloatArray

    def first(self, count: int) -> Scored:
        """Return the sweep as it was after so many evaluations."""
        return Scored(self.gains[:count], self.truth[:count])


class Formula:
    """Sweeps by formula: two checkpoints a run, after the base.

    Args:
        kind: convex, concave or saturating.
        m: Number of objectives.
        rng: Decides the prompts, which all sweeps of this world share.
    """

    def __init__(self, kind: str, m: int, rng: np.random.Generator) -> None:
        self._kind, self._m = kind, m
        self._easy, self._odd = rng.normal(size=(2, m, PROMPTS))

    def policies(self, runs: int, rng: np.random.Generator) -> FloatArray:
        """Return the policies of a sweep, training luck included, shape (1 + 2 runs, m)."""
        weights = rng.dirichlet(np.ones(self._m), size=runs)
        weights[: self._m] = np.eye(self._m)
        base = np.full(self._m, -0.2 if self._kind == "saturating" else 0.25)
        found = [base]
        for row in weights:
            luck = rng.normal(size=self._m)
            found += [self._policy(row, luck, stage) for stage in (0.7, 1.0)]
        return np.array(found)

    def _policy(self, weights: FloatArray, luck: FloatArray, stage: float) -> FloatArray:
        reach = 0.35 + 0.6 * stage
        if self._kind == "convex":
            return np.asarray(weights / np.linalg.norm(weights) * reach + 0.02 * luck)
        if self._kind == "concave":
            return np.asarray(weights**1.6 * reach + 0.1 + 0.02 * luck)
        lean = np.tanh(2.2 * (weights - 1 / self._m) * self._m / (self._m - 1))
        harm = 0.5 * max(lean.max() - 0.2, 0.0) * (lean < 0)
        return np.asarray(stage * (1.3 * lean - harm) + 0.06 * luck)

    def scored(self, policies: FloatArray, rng: np.random.Generator) -> Scored:
        """Return scores on the prompts; each call draws other answers."""
        noise = rng.normal(size=(*policies.shape, PROMPTS))
        own = policies[:, :, None]
        if self._kind != "saturating":
            gains = own + 0.14 * self._easy + 0.16 * (own - 0.4) * self._odd + 0.16 * noise
            return Scored(gains, policies.copy())
        logits = own * 1.5 + 0.9 * self._easy + 0.4 * own * self._odd + 0.9 * noise
        spread = np.sqrt(0.9**2 + (0.4 * policies) ** 2 + 0.9**2)
        chance = np.arange(self._m) % 2 == 0
        passes, length = _sigmoid(logits), 1 - np.exp(-1.2 - 0.45 * logits)
        mean = _sigmoid(1.5 * own + spread[:, :, None] * _NODES) @ (_ODDS / _ODDS.sum())
        brief = 1 - np.exp(-1.2 - 0.45 * 1.5 * policies + 0.5 * (0.45 * spread) ** 2)
        return Scored(
            np.where(chance[None, :, None], passes, length), np.where(chance[None], mean, brief)
        )


class Shipped:
    """Sweeps of the oracle that ships with ParetoFlow: weighted runs from the base."""

    def __init__(self, m: int, seed: int) -> None:
        self._oracle = LlmLikeOracle(seed, prompts=Prompts(count=PROMPTS))
        self._problem = Problem(
            tuple(ObjectiveInfo(f"o{i}", Direction.MAXIMIZE, "", 0.0, 1.0, 0.0) for i in range(m))
        )

    def policies(self, runs: int, rng: np.random.Generator) -> list[object]:
        """Return the states of a sweep's checkpoints."""
        m = self._problem.m
        weights = rng.dirichlet(np.ones(m), size=runs)
        weights[:m] = np.eye(m)
        states = [self._oracle.base(self._problem, rng).state]
        for number, row in enumerate(weights):
            towards = WeightVector(tuple(map(float, row)))
            proposal = Proposal(LaunchKind.WEIGHTED, towards, number, "", "")
            task = TrainingTask(self._problem, f"r{number}", 0, proposal)
            states += [checkpoint.state for checkpoint in self._oracle.train(task, rng)]
        return states

    def scored(self, policies: Sequence[object], rng: np.random.Generator) -> Scored:
        """Return scores on the prompts; each call draws other answers."""
        found = [self._oracle.evaluate(Snapshot("", state), rng) for state in policies]
        return Scored(
            np.array([each.prompt_scores for each in found]),
            np.array([self._oracle.truth(state) for state in policies]),  # type: ignore[arg-type]
        )


def world_of(kind: str, m: int, seed: int) -> Formula | Shipped:
    """Return a world with its prompts."""
    if kind == "llm_like":
        return Shipped(m, seed)
    return Formula(kind, m, np.random.default_rng([seed, m, WORLDS.index(kind)]))


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-x)), dtype=np.float64)
