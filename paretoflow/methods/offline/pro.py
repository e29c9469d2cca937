"""Prompt-aware weights: DPO with objective weights of each prompt's own."""

from __future__ import annotations

from typing import Any

from transformers import Trainer

from paretoflow.core.protocols import Checkpoint
from paretoflow.core.values import FloatArray
from paretoflow.methods.distributed.sharded import found_by_first
from paretoflow.methods.offline.base import PairMethod
from paretoflow.methods.preferences.pairs import PairTable, weighted_margins
from paretoflow.methods.preferences.prompt_weights import (
    composed,
    fitted_weights,
    preferred_scores,
    prompt_features,
    target_weights,
)
from paretoflow.methods.training.context import MethodContext, Run
from paretoflow.spec.methods import ProMethodSpec


class ProMethod(PairMethod[ProMethodSpec]):
    """DPO on pairs ranked by w'(x).(r_a - r_b), where w'(x) is proportional to w times f(x).

    w are the current weights, r standardised scores, and f(x) on the simplex is a small model of
    the prompt, learnt before the run by min KL(w*(x) || f(x)) with

        w*(x) = softmax(r(x, y+) / T)

    of the preferred answer y+, its entropy held above a floor. Where one objective has all the
    weight, this is bitwise DPO. By hand: w = (0.2, 0.8) and f = (0.8, 0.2) make w' = (0.5, 0.5),
    under which an answer that is better by (1, -0.5) wins; under w it loses.

    References:
        Liu et al. 2025, arXiv 2511.10656 (PRO). Departures: (1) pairs are weighted, where the paper
        weights online rewards or fills in a condition; (2) f is a linear softmax model of the
        base's mean hidden state of the prompt, with a ridge, in place of a fine-tuned encoder; (3)
        y+ is the base's answer with the largest sum of standardised scores, as there are no
        people's preferences; (4) scores are standardised over all the base's answers, which the
        paper's "normalised" leaves open, and T = 1 is assumed; (5) the entropy floor, against
        labels that are nearly one-hot on a prompt with conflicting objectives; (6) f is multiplied
        by the user's weights, where the paper lets f replace them; (7) f is evaluated on the train
        prompts only and is not part of the artifact; a run's cost excludes the pass over the
        prompts that it needs on each worker.
    """

    def __init__(self, spec: ProMethodSpec, context: MethodContext) -> None:
        super().__init__(spec, context)
        scores = preferred_scores(context.candidates)
        targets = target_weights(scores, spec.temperature, spec.entropy_floor)
        batch_size = context.generation.batch_size
        lm, prompt_ids = context.lm, context.candidates.prompt_ids
        features = found_by_first(lm, lambda: prompt_features(lm, prompt_ids, batch_size))
        self._factors = fitted_weights(features, targets, spec.ridge)

    def effective(self, checkpoint: Checkpoint) -> FloatArray | None:
        """Return the objectives' shares in the margins of the pairs; see `TrainedMethod`."""
        own = composed(checkpoint.weights, self._factors)
        return self._table.effective(checkpoint.weights, own)

    def options(self) -> dict[str, Any]:
        """Return the loss."""
        return {"loss_type": ["sigmoid"]}

    def _trainer(self, run: Run) -> Trainer:
        factors = run.ranks.first(self._factors)

        def margins(differences: FloatArray, weights: FloatArray) -> FloatArray:
            return weighted_margins(differences, composed(weights, factors)[:, None, :])

        candidates = self._context.candidates
        self._table = PairTable(candidates, self._spec.pairs_per_prompt, margins)
        return super()._trainer(run)
