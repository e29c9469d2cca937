"""Directional preference alignment: learn the best answer along the direction in the prompt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from paretoflow.core.ids import rng_of
from paretoflow.core.protocols import AttemptContext, Checkpoint, Served
from paretoflow.core.values import FloatArray
from paretoflow.methods.conditioned.prompts import (
    direction_numbers,
    direction_prefix,
    directions_within,
    put_before,
)
from paretoflow.methods.conditioned.sampling import Conditioner
from paretoflow.methods.conditioned.serving import served_points, serving
from paretoflow.methods.conditioned.sft import StageTrainer
from paretoflow.methods.conditioned.stages import Example, ExampleStage, Pulse
from paretoflow.methods.training.context import MethodContext, Run
from paretoflow.methods.training.run import train_run
from paretoflow.spec.methods.conditioned import DpaMethodSpec


class DpaMethod:
    """DPA: rejection sampling along directions, and supervised training on the accepted answers.

    A preference is a unit vector v. The first stage takes, for each prompt and as many random
    directions as it has answers of the base, the answer with the largest v.r; each later one
    samples N answers of the policy with v in the prompt and takes the one with the largest v.r.
    Rewards r are standardised gains. A launch's weights do not enter the training.

    By hand: v = (0.8, 0.6) and answers with scores (1, 0), (0, 1), (1, -1) give 0.8, 0.6 and 0.2:
    the first is learnt after `Weights: a 80, b 60.`

    References:
        Wang et al. 2024, arXiv 2402.18571. Departures: (1) the first stage uses the base's answers,
        which are scored already, and takes several directions for each prompt; (2) directions fill
        the non-negative orthant by default, where the authors advise a part of it (`angle`); N = 8
        and two rounds are assumed; (3) the direction is written in words before the prompt's last
        line, not in a system message; (4) scores are those of the objectives, standardised, not of
        a learnt head.
    """

    def __init__(self, spec: DpaMethodSpec, context: MethodContext) -> None:
        self._spec = spec
        self._context = context

    def train(self, attempt: AttemptContext, report: Callable[[Checkpoint], None]) -> None:
        """Train one launch; see `core.protocols.Method`."""
        served = served_points(self._spec.serve, len(self._context.objective_names), self._ask)
        train_run(self._context, self._spec, attempt, serving(report, served), self._trainer)

    def _trainer(self, run: Run) -> StageTrainer:
        stages = DpaStages(self._spec, self._context, run.attempt.launch.seed)
        return StageTrainer(run, self._spec, self._context.lm.tokenizer, stages)

    def _ask(self, weights: FloatArray) -> Served:
        names = self._context.objective_names
        prefix = direction_prefix(names, weights)
        numbers = dict(zip(names, direction_numbers(weights), strict=True))
        bos = self._context.lm.tokenizer.bos_token
        rewrite = partial(put_before, prefix, bos=bos)
        return Served(weights, {"prefix": prefix, "direction": numbers}, rewrite=rewrite)


@dataclass(frozen=True)
class DpaStages:
    """See `conditioned.stages.Stages`; `seed` is the run's."""

    spec: DpaMethodSpec
    context: MethodContext
    seed: int

    def first(self) -> ExampleStage:
        """Return, for each prompt and direction, the base's best answer along it."""
        table = self.context.candidates
        count, each, _ = table.gains.shape
        directions = self._directions(count * each, 0)
        prompts = np.repeat(np.arange(count), each)
        best = best_along(directions, table.standardised[prompts])
        ids = self._conditioner.ids(self._asked(prompts, directions))
        examples = (
            Example(row, table.completion_ids[p][b])
            for row, p, b in zip(ids, prompts, best, strict=True)
        )
        return ExampleStage(0, tuple(examples))

    def following(self, before: ExampleStage, model: Any, pulse: Pulse) -> tuple[ExampleStage, int]:
        """Sample N answers with a direction in the prompt; keep the best along it."""
        number, each = before.number + 1, self.spec.samples
        prompts = self._conditioner.prompts(number, self.spec.round_prompts)
        directions = self._directions(len(prompts), number)
        asked = self._asked(prompts, directions)
        repeated = [pair for pair in asked for _ in range(each)]
        sampled = self._conditioner.sample(model, repeated, number, pulse)
        best = best_along(directions, sampled.scores.reshape(len(prompts), each, -1))
        chosen = (sampled.answers[i * each + b].token_ids for i, b in enumerate(best))
        ids = self._conditioner.ids(asked)
        own = tuple(Example(row, answer) for row, answer in zip(ids, chosen, strict=True))
        return ExampleStage(number, (), own), sampled.tokens

    @property
    def _conditioner(self) -> Conditioner:
        return Conditioner(self.context, self.seed)

    def _asked(self, prompts: Any, directions: FloatArray) -> list[tuple[int, str]]:
        names = self.context.objective_names
        pairs = zip(prompts, directions, strict=True)
        return [(int(p), direction_prefix(names, v)) for p, v in pairs]

    def _directions(self, count: int, number: int) -> FloatArray:
        m = len(self.context.objective_names)
        return training_directions(
            m, self.spec.angle, count, rng_of(self.seed, "directions", number)
        )


def training_directions(m: int, angle: float, count: int, rng: np.random.Generator) -> FloatArray:
    """Return random unit vectors of the non-negative orthant, shape (count, m).

    At 90 degrees they are uniform on it (for two objectives uniform in the angle); below that the
    angle to the first axis is uniform.
    """
    if angle < 90:
        return directions_within(np.eye(m)[0], angle, count, rng)
    noise = np.abs(rng.normal(size=(count, m)))
    return np.asarray(noise / np.linalg.norm(noise, axis=1, keepdims=True), dtype=np.float64)


def best_along(directions: FloatArray, scores: FloatArray) -> Any:
    """Return the index of each row's answer with the largest v.r, the first of equals, shape (n,).

    Args:
        directions: Shape (n, m).
        scores: Standardised gains of c answers each, shape (n, c, m).
    """
    return np.einsum("nm,ncm->nc", directions, scores).argmax(axis=1)
