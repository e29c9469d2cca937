"""The oracle of `engine.simulation.llm_like` on gains; each sweep has its own prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from paretoflow.core.values import FloatArray, Problem
from paretoflow.engine.oracles import OracleCheckpoint, TrainingTask
from paretoflow.engine.simulation.llm_like import LlmLikeOracle, Prompts
from paretoflow.front.dominance import nondominated
from tests.histories import problem_of


class LlmLike(LlmLikeOracle):
    """Our oracle, in units in which the ends of the front are 0 and 1.

    Args:
        world: Seed of its world.
        low: Share of passing answers that 0 stands for, shape (m,).
        high: Share that 1 stands for, shape (m,).
        sweep: Seed of the prompts.
    """

    def __init__(self, world: int, low: FloatArray, high: FloatArray, sweep: int) -> None:
        super().__init__(world, prompts=Prompts(seed=sweep))
        plain = problem_of(len(low))
        ends = zip(plain.objectives, -low / (high - low), (1 - low) / (high - low), strict=True)
        ranges = tuple(replace(o, low=float(a), high=float(b)) for o, a, b in ends)
        self._scaled = replace(plain, objectives=ranges)

    def base(self, problem: Problem, rng: np.random.Generator) -> OracleCheckpoint:
        """Return the untrained model."""
        return super().base(self._scaled, rng)

    def train(self, task: TrainingTask, rng: np.random.Generator) -> Sequence[OracleCheckpoint]:
        """Return the checkpoints in order."""
        return super().train(replace(task, problem=self._scaled), rng)


def llm_front(world: int, m: int) -> FloatArray:
    """Return the front of a world of ours, in shares of answers that pass."""
    front = LlmLikeOracle(world).front(problem_of(m))
    return front[nondominated(front)]
