"""Rewards in context: learn answers with their own scores in the prompt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from paretoflow.core.ids import rng_of
from paretoflow.core.protocols import AttemptContext, Checkpoint, Served
from paretoflow.core.values import FloatArray
from paretoflow.methods.conditioned.prompts import (
    goals_of,
    goals_prefix,
    near_front,
    put_before,
    sampled_goals,
    told,
)
from paretoflow.methods.conditioned.sampling import Conditioner
from paretoflow.methods.conditioned.serving import served_points, serving
from paretoflow.methods.conditioned.sft import StageTrainer
from paretoflow.methods.conditioned.stages import Example, ExampleStage, Pulse
from paretoflow.methods.training.context import MethodContext, Run
from paretoflow.methods.training.run import train_run
from paretoflow.spec.methods.conditioned import RicMethodSpec


class RicMethod:
    """RiC: supervised training on (scores, prompt) -> answer, so that prompts can request scores.

    Scores are standardised gains, one decimal: more is better for every objective, whatever its
    direction. The first stage learns all of the base's answers. Each later one samples the policy
    with goals at the edge of the range, writes the obtained scores into the prompts, keeps the
    answers that reach the quantile of some objective, and learns all answers kept so far together
    with such answers of the base. A launch's weights do not enter the training.

    By hand: an answer with gains (0.5, 12), mean (0.3, 20) and deviation (0.1, 10) is learnt after
    `<coverage> 2.0 <length> -0.8`.

    References:
        Yang et al. 2024, arXiv 2402.10207, algorithms 1 and 2, and its code. Departures: (1) the
        answers are the base's, not a data set's; (2) the scores come before the prompt's last line
        in every format, where the code looks for the answer's mark; (3) one schedule of the step
        size over all stages; (4) goals are drawn from the range of the base's answers; (5) prompts
        are left out of the loss.
    """

    def __init__(self, spec: RicMethodSpec, context: MethodContext) -> None:
        self._spec = spec
        # scores in prompts must have the same meaning with every prompt
        overall = replace(context.candidates, standard="global")
        self._context = replace(context, candidates=overall)
        scores = overall.standardised
        self._low, self._high = scores.min(axis=(0, 1)), scores.max(axis=(0, 1))

    def train(self, attempt: AttemptContext, report: Callable[[Checkpoint], None]) -> None:
        """Train one launch; see `core.protocols.Method`."""
        served = served_points(self._spec.serve, len(self._low), self._ask)
        train_run(self._context, self._spec, attempt, serving(report, served), self._trainer)

    def _trainer(self, run: Run) -> StageTrainer:
        seed = run.attempt.launch.seed
        stages = RicStages(self._spec, self._context, (self._low, self._high), seed)
        return StageTrainer(run, self._spec, self._context.lm.tokenizer, stages)

    def _ask(self, weights: FloatArray) -> Served:
        names = self._context.objective_names
        goals = goals_of(weights, self._low, self._high, self._spec.goals)
        prefix = goals_prefix(names, goals)
        condition = {"prefix": prefix, "goals": dict(zip(names, goals.tolist(), strict=True))}
        bos = self._context.lm.tokenizer.bos_token
        return Served(weights, condition, rewrite=partial(put_before, prefix, bos=bos))


@dataclass(frozen=True)
class RicStages:
    """See `conditioned.stages.Stages`.

    Args:
        bounds: Smallest and largest scores of the base's answers, shape (m,) each.
        seed: The run's.
    """

    spec: RicMethodSpec
    context: MethodContext
    bounds: tuple[FloatArray, FloatArray]
    seed: int

    def first(self) -> ExampleStage:
        """Return all of the base's answers, each after its scores."""
        return ExampleStage(0, self._base_examples(np.arange(self._scores.shape[0])))

    def following(self, before: ExampleStage, model: Any, pulse: Pulse) -> tuple[ExampleStage, int]:
        """Sample the policy at the edge of the range; keep the answers near the front."""
        number = before.number + 1
        conditioner = Conditioner(self.context, self.seed)
        rng = rng_of(self.seed, "goals", number)
        prompts = conditioner.prompts(number, self.spec.round_prompts)
        goals = sampled_goals(*self.bounds, len(prompts), rng)
        asked = [(int(p), self._prefix(g)) for p, g in zip(prompts, goals, strict=True)]
        sampled = conditioner.sample(model, asked, number, pulse)
        kept = np.flatnonzero(near_front(sampled.scores, self.spec.quantile))
        obtained = conditioner.ids(
            [(int(prompts[i]), self._prefix(told(sampled.scores[i]))) for i in kept]
        )
        own = tuple(
            Example(ids, sampled.answers[i].token_ids)
            for i, ids in zip(kept, obtained, strict=True)
        )
        good = np.flatnonzero(near_front(self._scores, self.spec.quantile))
        replayed = rng.permutation(good)[: round(self.spec.replay * len(prompts))]
        return ExampleStage(number, self._base_examples(replayed), before.own + own), sampled.tokens

    @property
    def _scores(self) -> FloatArray:
        """Return the scores of the base's answers, a row each, shape (P * C, m)."""
        scores = self.context.candidates.standardised
        return scores.reshape(-1, scores.shape[-1])

    def _base_examples(self, rows: Any) -> tuple[Example, ...]:
        if len(rows) == 0:
            return ()
        table = self.context.candidates
        each, scores = table.gains.shape[1], told(self._scores)
        pairs = [(int(row) // each, self._prefix(scores[row])) for row in rows]
        ids = Conditioner(self.context, self.seed).ids(pairs)
        return tuple(
            Example(prompt, table.completion_ids[int(row) // each][int(row) % each])
            for row, prompt in zip(rows, ids, strict=True)
        )

    def _prefix(self, scores: FloatArray) -> str:
        return goals_prefix(self.context.objective_names, scores)
