"""Evaluate a policy: fixed prompts and seeds, full score vectors, diagnostics that are always on.

Every checkpoint answers the same prompts with the same noise, so two checkpoints compare prompt by
prompt; a further draw of any of them has the noise of that draw's number. Whatever fails here fails
whole: there is no partial score vector.

A checkpoint that serves many preferences is evaluated once for each (`Served`): the model is given
the rewritten prompts, scorers and the base see them as they were.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from peft import PeftModel
from transformers import PreTrainedModel

from paretoflow.core.cost import Cost
from paretoflow.core.errors import MethodError
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.ids import seed_of
from paretoflow.core.protocols import Candidates, Prompt, Served
from paretoflow.core.values import FloatArray, IntArray
from paretoflow.core.views import CUT_OFF
from paretoflow.lm.base import LanguageModel, encode
from paretoflow.lm.generation import Answer, cut_off, generate
from paretoflow.lm.logprobs import sequence_logprobs
from paretoflow.scoring.agreement import agreement
from paretoflow.scoring.costs import NO_COSTS, SystemCosts
from paretoflow.scoring.signals import ASSUMED_BETA, HeldOutPairs, pair_signals, topk_signals
from paretoflow.spec.models import GenerationSpec

if TYPE_CHECKING:
    from paretoflow.scoring.kept import Keeper
    from paretoflow.scoring.panel import ObjectivePanel


_PLAINLY = Served(np.empty(0), {})
"""Asks for nothing: the model and the prompts as they are."""


@dataclass(frozen=True)
class Evaluator:
    """Scores policies of one sweep, all on the same prompts.

    Args:
        seed: With a prompt's id it decides the noise of that prompt's answer.
        held_out: Scored answers of the base to prompts that no run learns from; their pairs give
            the ranking accuracy. None leaves it out.
        standardised: Raw scores, shape (n, m), to gains in standard deviations of the base's
            answers; needed where one of several answers is chosen.
        beta: Strength of the pull to the base in the idealised ranking accuracy.
        costs: Objectives that are measured as the policy answers, and scored 0 by the panel.
        beat: Called after every batch, as a sign of life.
        keeper: Samples and scores instead, and keeps what is made; for the base alone.
        given: What people said of answers to prompts that no run learns from; None where they said
            nothing.
    """

    lm: LanguageModel
    generation: GenerationSpec
    panel: ObjectivePanel
    prompts: tuple[Prompt, ...]
    seed: int
    held_out: Candidates | None = None
    standardised: Callable[[FloatArray], FloatArray] | None = None
    beta: float = ASSUMED_BETA
    costs: SystemCosts = NO_COSTS
    beat: Callable[[], None] = lambda: None
    keeper: Keeper | None = None
    given: Candidates | None = None

    def evaluate(
        self,
        model: PreTrainedModel,
        weights: FloatArray | None = None,
        served: Served | None = None,
        draw: int = 0,
    ) -> Evaluation:
        """Score a policy on the evaluation prompts; return what it scored, without a name.

        Diagnostics are `kl` (nats per answer), `length_tokens` (mean, end-of-text token not
        counted), `cut_off` (share of answers that ended only because they may be no longer) and the
        signals of `signals.topk_signals`; with weights and held-out pairs those of
        `signals.pair_signals`. Tokens are all that were generated, those of answers that were not
        chosen included.

        Args:
            model: A PEFT model on the base, or the base itself.
            weights: Weights in force, shape (m,); they rank the held-out pairs.
            served: The preference that the policy is asked for, and how; None asks nothing.
            draw: How often it was evaluated before; each has noise of its own.

        Raises:
            DataError: If a prompt does not fit the model.
            ObjectiveError: If a scorer fails, or a cost cannot be measured.
            MethodError: If an answer is to be chosen and nothing says how scores are standardised.
        """
        started = time.perf_counter()
        served = served or _PLAINLY
        answers, scores, tokens = self._chosen(model, served, draw)
        diagnostics = {
            "kl": self._kl(model, answers),
            "length_tokens": float(np.mean([self._length(a) for a in answers])),
            CUT_OFF: float(np.mean([cut_off(a, self.lm, self.generation) for a in answers])),
            **topk_signals(answers),
        }
        if weights is not None and self.held_out is not None:
            diagnostics |= self._ranking(model, self.held_out, weights, served)
        if weights is not None and self.given is not None and self.given.given is not None:
            logprobs = self._logprobs(model, self.given, served)
            diagnostics |= agreement(self.given, self.given.given, logprobs)
        wall_s = time.perf_counter() - started
        return Evaluation(
            scores=scores.mean(axis=0),
            stderr=scores.std(axis=0, ddof=1) / np.sqrt(len(scores)),
            prompt_scores=np.ascontiguousarray(scores.T),
            n=len(scores),
            completions=tuple(a.text.strip() for a in answers),
            diagnostics=diagnostics,
            cost=Cost(wall_s, wall_s, tokens),
        )

    def signals(self, model: PreTrainedModel) -> dict[str, float]:
        """Return the top-k signals on answers to the evaluation prompts, which are not scored.

        Raises:
            DataError: If a prompt does not fit the model.
        """
        return topk_signals(self._answers(model, self.prompts, _PLAINLY))

    def prompt_scores(
        self, model: PreTrainedModel, prompts: Sequence[Prompt], draws: int = 1
    ) -> FloatArray:
        """Return raw scores of n prompts, shape (n, m), without diagnostics.

        Made for looks at a model in training, and for one at its parent: the same prompts have the
        same noise each time, so that they compare prompt by prompt. The mode is left as it was.

        Args:
            model: A PEFT model on the base, or the base itself.
            prompts: Any, not only those of the evaluation.
            draws: Answers to each prompt, whose mean score is returned.

        Raises:
            DataError: If a prompt does not fit the model.
            ObjectiveError: If a scorer fails, or a cost cannot be measured.
        """
        asked = [prompt for prompt in prompts for _ in range(draws)]
        seeds = [self._seed(prompt, number) for prompt in prompts for number in range(draws)]
        with self.costs.watched(self.lm.device) as seen:
            texts = [prompt.text for prompt in asked]
            answers = generate(model, self.lm, texts, seeds, self.generation, self.beat)
        scores = self.panel.score(asked, [a.text for a in answers])
        self.costs.put(scores, [answers], model, seen)
        means: FloatArray = scores.reshape(len(prompts), draws, -1).mean(axis=1)
        return means

    def _chosen(
        self, model: PreTrainedModel, served: Served, draw: int
    ) -> tuple[list[Answer], FloatArray, int]:
        """Return an answer to each prompt, their raw scores, and the tokens of all answers.

        With `draws`, of several answers the best under the weights; the earliest among equals.
        """
        asks = served.draws or (served,)
        with self.costs.watched(self.lm.device) as seen:
            drawn = [
                self._answers(model, self.prompts, ask, number)
                for number, ask in enumerate(asks, start=draw * len(asks))
            ]
        scorer = self.keeper or self.panel
        scores = np.stack([scorer.score(self.prompts, [a.text for a in d]) for d in drawn])
        tokens = sum(a.tokens for answers in drawn for a in answers)
        prompts = range(len(self.prompts))
        best = self._best(scores, served) if served.draws else np.zeros(len(prompts), dtype=int)
        kept = scores[best, prompts]
        self.costs.put(kept, drawn, model, seen)
        return [drawn[best[p]][p] for p in prompts], kept, tokens

    def _best(self, scores: FloatArray, served: Served) -> IntArray:
        """Return which of the draws is best for each prompt: (draws, n, m) to (n,)."""
        if self.standardised is None:
            raise MethodError("an answer is to be chosen by scores that nothing standardises")
        merits = np.stack([self.standardised(s) @ served.weights for s in scores])
        return merits.argmax(axis=0)

    def _answers(
        self,
        model: PreTrainedModel,
        prompts: Sequence[Prompt],
        ask: Served = _PLAINLY,
        number: int = 0,
    ) -> list[Answer]:
        """Return an answer to each prompt; another number gives the same prompts other noise."""
        seeds = [self._seed(prompt, number) for prompt in prompts]
        with _asked(model, ask) as policy:
            asked = (policy, self.lm, _texts(prompts, ask), seeds, self.generation)
            # the most memory in use is that of all answers, so none may be left out
            if self.keeper is None or self.costs.of_memory:
                return generate(*asked, self.beat)
            return self.keeper.sample(*asked)

    def _seed(self, prompt: Prompt, number: int) -> int:
        """Return what decides the noise of an answer; another number gives another."""
        return seed_of(self.seed, prompt.prompt_id, *((number,) if number else ()))

    def _kl(self, model: PreTrainedModel, answers: Sequence[Answer]) -> float:
        """Return the mean over answers of log pi(y) - log base(y), in nats.

        pi answers the prompt as it was rewritten, the base the prompt as it was: what is measured
        is how far the policy under its condition has moved. At temperature 1 this is an unbiased
        estimate of KL(pi || base) per answer, and may be negative by chance; at another temperature
        the answers are not pi's own, and where one of several was chosen neither: then it is only
        a distance along them.
        """
        if not isinstance(model, PeftModel):
            return 0.0
        with model.disable_adapter():
            base = sequence_logprobs(
                model,
                self.lm,
                encode(self.lm, [p.text for p in self.prompts]),
                [a.token_ids for a in answers],
                self.generation.batch_size,
                self.beat,
            )
        return float(np.mean([a.logprob for a in answers] - base))

    def _length(self, answer: Answer) -> int:
        return answer.tokens - (answer.token_ids[-1] in self.lm.eos_ids)

    def _ranking(
        self, model: PreTrainedModel, held_out: Candidates, weights: FloatArray, served: Served
    ) -> dict[str, float]:
        """Return what the held-out pairs say; nothing when every one is a tie."""
        logprobs = self._logprobs(model, held_out, served)
        merits = held_out.standardised @ np.asarray(weights)
        return pair_signals(HeldOutPairs.of(logprobs, held_out, merits), self.beta)

    def _logprobs(self, model: PreTrainedModel, table: Candidates, served: Served) -> FloatArray:
        """Return the log-probability of every answer of a table, shape (P, C)."""
        per_prompt = len(table.completions[0])
        prompts: Sequence[Sequence[int]] = table.prompt_ids
        if served.rewrite is not None:
            prompts = encode(self.lm, _texts(table.prompts, served))
        with _asked(model, served) as policy:
            return sequence_logprobs(
                policy,
                self.lm,
                [ids for ids in prompts for _ in range(per_prompt)],
                [ids for row in table.completion_ids for ids in row],
                self.generation.batch_size,
                self.beat,
            ).reshape(-1, per_prompt)


@contextmanager
def _asked(model: PreTrainedModel, ask: Served) -> Iterator[PreTrainedModel]:
    """Yield what answers under the condition."""
    if ask.policy is None:
        yield model
        return
    with ask.policy(model) as policy:
        yield policy


def _texts(prompts: Sequence[Prompt], ask: Served) -> list[str]:
    """Return what the model is given."""
    return [p.text if ask.rewrite is None else ask.rewrite(p.text) for p in prompts]
