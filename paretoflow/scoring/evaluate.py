"""Evaluate a policy: fixed prompts and seeds, full score vectors, diagnostics that are always on.

Every checkpoint answers the same prompts with the same noise, so two checkpoints compare prompt by
prompt; a further draw of any of them has the noise of that draw's number. An evaluation fails as a
whole: there is no partial score vector.

A checkpoint that serves many preferences is evaluated once for each (`Served`): the model answers
the rewritten prompts; scorers and the base see the original ones.
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
from paretoflow.lm.generation import Answer, cut_off, in_order
from paretoflow.lm.logprobs import sequence_logprobs
from paretoflow.lm.samplers import HF, Sampler
from paretoflow.scoring.agreement import agreement
from paretoflow.scoring.costs import NO_COSTS, SystemCosts
from paretoflow.scoring.signals import ASSUMED_BETA, HeldOutPairs, pair_signals, topk_signals
from paretoflow.spec.models import GenerationSpec

if TYPE_CHECKING:
    from paretoflow.scoring.kept import Keeper
    from paretoflow.scoring.panel import ObjectivePanel


_PLAINLY = Served(np.empty(0), {})
"""No preference: the model and the prompts without change."""


@dataclass(frozen=True)
class Evaluator:
    """Scores policies of one sweep, all on the same prompts.

    Args:
        seed: With a prompt's id it decides the noise of that prompt's answer.
        held_out: Scored answers of the base to held-out prompts; their pairs give the ranking
            accuracy. None leaves it out.
        standardised: Converts raw scores, shape (n, m), to gains in standard deviations of the
            base's answers; needed where one of several answers is chosen.
        beta: KL coefficient in the idealised ranking accuracy.
        costs: System costs, measured while the policy answers; the panel scores them 0.
        beat: Called after every batch, as a heartbeat.
        keeper: Samples and scores in place of the panel, and stores the results; for the base
            alone.
        given: Feedback on answers to held-out prompts; None where there is none.
        sampler: The engine that samples the answers.
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
    sampler: Sampler = HF

    def evaluate(
        self,
        model: PreTrainedModel,
        weights: FloatArray | None = None,
        served: Served | None = None,
        draw: int = 0,
    ) -> Evaluation:
        """Score a policy on the evaluation prompts; return the evaluation, without a name.

        Diagnostics are `kl` (nats per answer), `length_tokens` (mean, end-of-text token not
        counted), `cut_off` (share of answers that ended only at the length limit) and the signals
        of `signals.topk_signals`; with weights and held-out pairs those of `signals.pair_signals`.
        Tokens count everything generated, including answers that were not chosen.

        Args:
            model: A PEFT model on the base, or the base itself.
            weights: The run's weights, shape (m,); they rank the held-out pairs.
            served: The preference that the policy serves, and how it is passed; None for a plain
                policy.
            draw: Number of earlier evaluations; each has noise of its own.

        Raises:
            DataError: If a prompt does not fit the model.
            ObjectiveError: If a scorer fails, or a cost cannot be measured.
            MethodError: If an answer is to be chosen and `standardised` is not given.
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
        """Return the top-k signals on answers to the evaluation prompts, without scoring them.

        Raises:
            DataError: If a prompt does not fit the model.
        """
        return topk_signals(self._answers(model, self.prompts, _PLAINLY))

    def prompt_scores(
        self, model: PreTrainedModel, prompts: Sequence[Prompt], draws: int = 1
    ) -> FloatArray:
        """Return raw scores of n prompts, shape (n, m), without diagnostics.

        It serves validations of a model in training and of its parent: the same prompts have the
        same noise each time, so the scores compare prompt by prompt. The model's mode is restored.

        Args:
            model: A PEFT model on the base, or the base itself.
            prompts: Any prompts, not only those of the evaluation.
            draws: Number of answers to each prompt, whose mean score is returned.

        Raises:
            DataError: If a prompt does not fit the model.
            ObjectiveError: If a scorer fails, or a cost cannot be measured.
        """
        asked = [prompt for prompt in prompts for _ in range(draws)]
        seeds = [self._seed(prompt, number) for prompt in prompts for number in range(draws)]
        with self.costs.watched(self.lm.device) as seen:
            texts = [prompt.text for prompt in asked]
            asked_of = (model, self.lm, texts, seeds, self.generation)
            answers = in_order(self.sampler.sample(*asked_of), self.beat)
        scores = self.panel.score(asked, [a.text for a in answers])
        self.costs.put(scores, [answers], model, seen)
        means: FloatArray = scores.reshape(len(prompts), draws, -1).mean(axis=1)
        return means

    def _chosen(
        self, model: PreTrainedModel, served: Served, draw: int
    ) -> tuple[list[Answer], FloatArray, int]:
        """Return an answer to each prompt, their raw scores, and the tokens of all answers.

        With `draws`, it chooses the best of several answers under the weights; the earliest among
        equals.
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
        """Return an answer to each prompt; `number` selects the noise."""
        seeds = [self._seed(prompt, number) for prompt in prompts]
        with _asked(model, ask) as policy:
            asked = (policy, self.lm, _texts(prompts, ask), seeds, self.generation)
            # peak memory is that of all answers, so none may be skipped
            if self.keeper is None or self.costs.of_memory:
                return in_order(self.sampler.sample(*asked), self.beat)
            return self.keeper.sample(*asked)

    def _seed(self, prompt: Prompt, number: int) -> int:
        """Return the seed of an answer's noise; it differs for each number."""
        return seed_of(self.seed, prompt.prompt_id, *((number,) if number else ()))

    def _kl(self, model: PreTrainedModel, answers: Sequence[Answer]) -> float:
        """Return the mean over answers of log pi(y) - log base(y), in nats.

        pi answers the rewritten prompt, the base the original one: this measures how far the policy
        has moved under its condition. At temperature 1 this is an unbiased estimate of KL(pi ||
        base) per answer, and may be negative by chance; at another temperature, or where one of
        several answers was chosen, the answers are not draws from pi: then the value is only a
        distance on these answers.
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
        """Return the signals of the held-out pairs; empty when every pair is a tie."""
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
    """Yield the model that answers under the condition."""
    if ask.policy is None:
        yield model
        return
    with ask.policy(model) as policy:
        yield policy


def _texts(prompts: Sequence[Prompt], ask: Served) -> list[str]:
    """Return the model's prompts."""
    return [p.text if ask.rewrite is None else ask.rewrite(p.text) for p in prompts]
