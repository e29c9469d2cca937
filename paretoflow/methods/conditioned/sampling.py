"""Prompts with a condition, and scored answers of the policy in training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paretoflow.core.errors import DataError, MethodError
from paretoflow.core.ids import seed_of
from paretoflow.core.values import FloatArray, IntArray
from paretoflow.lm.base import encode
from paretoflow.lm.generation import Answer, generate
from paretoflow.methods.conditioned.prompts import put_before
from paretoflow.methods.conditioned.stages import Pulse
from paretoflow.methods.training.context import MethodContext


@dataclass(frozen=True)
class Scored:
    """Sampled answers, n of them.

    Args:
        scores: Standardised gains, shape (n, m).
        tokens: Tokens sampled.
    """

    answers: list[Answer]
    scores: FloatArray
    tokens: int


class Conditioner:
    """Adds conditions to the train prompts, and samples answers to them.

    Args:
        context: The sweep's prompts, base and scorers.
        seed: The run's.
    """

    def __init__(self, context: MethodContext, seed: int) -> None:
        self._context = context
        self._seed = seed

    def text(self, prompt: int, prefix: str) -> str:
        """Return a train prompt with the words before it."""
        lm = self._context.lm
        return put_before(
            prefix, self._context.candidates.prompts[prompt].text, lm.tokenizer.bos_token
        )

    def ids(self, asked: Sequence[tuple[int, str]]) -> list[tuple[int, ...]]:
        """Return the token ids of (prompt, prefix) pairs.

        Raises:
            DataError: If a prompt with its condition leaves no room for an answer.
        """
        lm, room = self._context.lm, self._context.generation.max_new_tokens
        rows = [tuple(ids) for ids in encode(lm, [self.text(*pair) for pair in asked])]
        longest, limit = max(map(len, rows)), lm.context_tokens
        if limit is not None and longest + room > limit:
            raise DataError(
                f"a prompt has {longest} tokens with its condition before it and may be answered "
                f"by {room}; {lm.name} takes {limit} in all",
                hint="shorten the prompts (data.max_passage_words), the names of the objectives, "
                "or lower model.generation.max_new_tokens",
                code="data-too-long",
            )
        return rows

    def prompts(self, number: int, count: int | None) -> IntArray:
        """Return the shuffled prompts of a sampling round; their counts differ by at most one.

        Args:
            number: Number of the round, from 1.
            count: Number of prompts; None takes each once.
        """
        total = len(self._context.candidates.prompts)
        wanted = count or total
        rng = np.random.default_rng((self._seed, number))
        orders = [rng.permutation(total) for _ in range(-(-wanted // total))]
        return np.concatenate(orders)[:wanted]

    def sample(
        self,
        model: Any,
        asked: Sequence[tuple[int, str]],
        number: int,
        pulse: Pulse,
    ) -> Scored:
        """Sample an answer of the policy to each (prompt, prefix) pair, and score it.

        Raises:
            DataError: If a prompt does not fit the model.
            ObjectiveError: If a scorer fails.
        """
        context = self._context
        answers: list[Answer] = []
        for start in range(0, len(asked), context.generation.batch_size):
            part = asked[start : start + context.generation.batch_size]
            seeds = [seed_of(self._seed, "round", number, start + i) for i in range(len(part))]
            texts = [self.text(*pair) for pair in part]
            answers += generate(model, context.lm, texts, seeds, context.generation)
            pulse()
        prompts = [context.candidates.prompts[p] for p, _ in asked]
        gains = context.rewards(prompts, [a.text for a in answers])
        if not np.isfinite(gains).all():
            raise MethodError(
                "a reward is not finite", hint="the objective must refuse such a score"
            )
        rows = np.array([p for p, _ in asked], dtype=np.int64)
        scores = context.candidates.in_standard(gains, rows)
        return Scored(answers, scores, sum(a.tokens for a in answers))
