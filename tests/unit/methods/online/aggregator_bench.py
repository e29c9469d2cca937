"""An aggregator's surroundings in small: three prompts with five candidates, groups of four."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from paretoflow.core.launch import Launch
from paretoflow.core.protocols import Candidates, Prompt
from paretoflow.core.values import FloatArray, LaunchKind, Proposal, WeightVector
from paretoflow.methods.online.aggregators import Aggregator, RewardBatch, build
from paretoflow.methods.online.aggregators.base import group_normalised
from paretoflow.methods.training.context import MethodContext
from paretoflow.spec.methods import GrpoMethodSpec

PROMPTS, CANDIDATES, GROUP = 3, 5, 4
EVERYONE = (0, 1, 2)


def base_gains() -> FloatArray:
    """Return the gains of the base's candidates, of three scales, shape (P, C, 3)."""
    return np.random.default_rng(3).normal(size=(PROMPTS, CANDIDATES, 3)) * (1.0, 10.0, 0.1)


def context_of(gains: FloatArray) -> MethodContext:
    """Return a context whose base's candidates have the gains, shape (P, C, m)."""
    count, answers, m = gains.shape
    candidates = Candidates(
        prompts=tuple(Prompt(str(i), f"p{i}") for i in range(count)),
        completions=(("a",) * answers,) * count,
        completion_ids=(((1,),) * answers,) * count,
        prompt_ids=((1,),) * count,
        gains=gains,
        mean=gains.mean(axis=(0, 1)),
        std=gains.std(axis=(0, 1)),
        ref_logprobs=np.zeros((count, answers)),
    )
    nothing: Any = None
    return MethodContext(
        lm=nothing,
        lora=nothing,
        generation=nothing,
        candidates=candidates,
        objective_names=tuple(f"o{i}" for i in range(m)),
        scale=np.ones(m),
        rewards=nothing,
        validate=nothing,
    )


def built(
    aggregation: object,
    tmp_path: Any = None,
    columns: tuple[int, ...] = EVERYONE,
    front: FloatArray | None = None,
) -> Aggregator:
    """Return an aggregator over some of three objectives."""
    proposal = Proposal(
        LaunchKind.WEIGHTED, WeightVector.of([1.0] * len(columns)), 0, "test", "test"
    )
    launch = Launch("run", 0, proposal, front=front)
    spec = GrpoMethodSpec.model_validate({"type": "grpo", "aggregation": aggregation})
    return build(spec.aggregation, context_of(base_gains()[..., list(columns)]), launch)


def batch_of(
    weights: ArrayLike,
    columns: tuple[int, ...] = EVERYONE,
    estimate: Callable[[FloatArray], FloatArray] = group_normalised,
    factors: ArrayLike = 1.0,
) -> RewardBatch:
    """Return two groups of four answers each, always the same ones."""
    rng = np.random.default_rng(7)
    rewards = rng.normal(size=(2, GROUP, 3)) * factors
    return RewardBatch(
        rewards=rewards[..., list(columns)],
        weights=np.asarray(weights, dtype=np.float64),
        prompts=np.array([2, 0]),
        lengths=rng.integers(1, 9, size=(2, GROUP)),
        estimate=estimate,
    )
