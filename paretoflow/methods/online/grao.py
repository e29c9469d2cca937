"""Group-relative alignment: learn from sampled answers and a reference answer together.

Departures from TRL, beside those of `online.trainer` (`tests/contracts/test_trl_hooks_online2.py`):

- `_generate_and_score_completions`: each answer also carries its prompt's reference answer.
- `_compute_loss`: TRL's loss on advantages times 1 + `alignment`, minus the references' term.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from trl import GRPOConfig, GRPOTrainer

from paretoflow.core.protocols import Candidates
from paretoflow.core.values import FloatArray, IntArray
from paretoflow.methods.offline.ratio_trainer import collate
from paretoflow.methods.online.aggregators import Aggregator, RewardBatch
from paretoflow.methods.online.aggregators.base import group_normalised, weighted_margins
from paretoflow.methods.online.base import OnlineMethod
from paretoflow.methods.online.trainer import OnlineTrainer, online_arguments
from paretoflow.methods.preferences.pairs import MARGIN_DECIMALS
from paretoflow.methods.training.context import MethodContext, Run
from paretoflow.spec.methods import GraoMethodSpec


class GraoMethod(OnlineMethod[GraoMethodSpec]):
    """GRAO: each prompt's reference answer is the base's best under the current weights.

    With A the advantages of G samples o and of the reference y, all G + 1 weighted, standardised
    scores normalised together, and l an answer's mean log-probability for each token, it maximises

        1/G sum_i A_i l(o_i) + imitation A_y l(y) + alignment 1/G sum_i A_i (l(o_i) - l(y)).

    References:
        Wang et al. 2025, arXiv 2508.07750, eq. 2. Departures: (1) the reference answer is the best
        of the base's own answers to the prompt under the current weights, the first among equals,
        not one from the data: so it follows the trade-off and exists for every data source; (2)
        advantages are divided by the sample standard deviation of the G + 1 scores, 1e-4 added, as
        in TRL.
    """

    def _trainer(self, run: Run) -> GraoTrainer:
        config = GRPOConfig(
            **online_arguments(run, self._spec, self._context), beta=0.0, loss_type="grpo"
        )
        return GraoTrainer(run, self._context, config, self._spec)


class ReferenceGroup(Aggregator):
    """Normalises each group of samples together with the prompt's reference answer.

    For the last batch it keeps `references`, the (prompt, answer) indices of each group's reference
    among the candidates, shape (b, 2), and `reference_advantages`, shape (b,).
    """

    def __init__(self, candidates: Candidates) -> None:
        self._scores = candidates.standardised
        self.references: IntArray = np.zeros((0, 2), dtype=np.int64)
        self.reference_advantages: FloatArray = np.zeros(0)

    def advantages(self, batch: RewardBatch) -> FloatArray:
        """Return the samples' advantages, shape (b, g)."""
        table = (self._scores[batch.prompts] * batch.weights).sum(axis=2)
        best = np.round(table, MARGIN_DECIMALS).argmax(axis=1)
        theirs = np.take_along_axis(table, best[:, None], axis=1)
        group = np.concatenate([batch.rewards @ batch.weights, theirs], axis=1)
        joint = group_normalised(group)
        self.references = np.stack([batch.prompts, best], axis=1)
        self.reference_advantages = joint[:, -1]
        return joint[:, :-1]

    def margins(self, batch: RewardBatch) -> FloatArray | None:
        """Return each objective's contribution to the differences within groups, shape (m,)."""
        return weighted_margins(batch.weights, batch.rewards)

    def metrics(self) -> Mapping[str, float]:
        """Return the references' distance above the group, in its standard deviations."""
        return {"reference_advantage": float(self.reference_advantages.mean())}


class GraoTrainer(OnlineTrainer, GRPOTrainer):
    """TRL's GRPO trainer with one reference answer for each group."""

    def __init__(
        self, run: Run, context: MethodContext, config: GRPOConfig, spec: GraoMethodSpec
    ) -> None:
        self._group = ReferenceGroup(context.candidates)
        self._imitation, self._alignment = spec.imitation, spec.alignment
        self._pad_id = int(context.lm.tokenizer.pad_token_id)
        super().__init__(run, context, config, self._group, group_normalised)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output = super()._generate_and_score_completions(inputs)
        references, size = self._group.references, self.num_generations
        repeated = np.repeat(references[:, None], size, axis=1)
        output["references"] = self._own(repeated.astype(np.float64), output["completion_ids"])
        theirs = np.repeat(self._group.reference_advantages[:, None], size, axis=1)
        output["reference_advantages"] = self._own(theirs, output["advantages"])
        self._count(references)
        return output

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        inputs = dict(inputs)
        references = inputs.pop("references")
        own, pull = answer_weights(
            inputs["advantages"],
            inputs.pop("reference_advantages"),
            self._imitation,
            self._alignment,
        )
        loss: torch.Tensor = super()._compute_loss(model, {**inputs, "advantages": own})
        learned = (pull * self._mean_logprobs(model, references)).mean()
        return loss - learned / self.current_gradient_accumulation_steps

    def _mean_logprobs(self, model: Any, references: torch.Tensor) -> torch.Tensor:
        """Return the references' mean log-probabilities, shape (n,); each is evaluated once.

        Args:
            model: The model in training.
            references: (prompt, answer) indices into the candidates, shape (n, 2).
        """
        distinct, places = references.unique(dim=0, return_inverse=True)
        answers = [(p, a) for p, a in distinct.tolist()]
        batch = collate(self._context.candidates, answers, self._pad_id)
        batch = {name: tensor.to(references.device) for name, tensor in batch.items()}
        with self.accelerator.autocast():
            outputs = model(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                labels=batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100),
                fused_lm_head=True,
            )
        tokens = batch["completion_mask"].sum(dim=1).clamp(min=1)
        means: torch.Tensor = (outputs.log_probs.sum(dim=1) / tokens)[places]
        return means

    def _count(self, references: IntArray) -> None:
        """Add the references' tokens to the run's cost, once for each group."""
        table = self._context.candidates
        self.state.num_input_tokens_seen += sum(
            len(table.prompt_ids[p]) + len(table.completion_ids[p][a]) for p, a in references
        )
        self._metrics["train"]["num_tokens"] = [self.state.num_input_tokens_seen]


def answer_weights(
    advantages: torch.Tensor, reference: torch.Tensor, imitation: float, alignment: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the weights of samples' and references' mean log-probabilities in the objective.

    The objective is the mean over samples of w_i l(o_i) + v_i l(y), with w = (1 + alignment) A_i
    and v = imitation A_y - alignment A_i: a mean over samples, so that their division over forward
    passes and ranks has no effect. By hand: imitation 0.5, alignment 0.6, A = (1, -2) and A_y = 1
    give w = (1.6, -3.2) and v = (-0.1, 1.7).

    Args:
        advantages: A of each sample, shape (n,).
        reference: A_y of each sample's reference, shape (n,).
        imitation: beta in the paper.
        alignment: lambda in the paper.

    References:
        Wang et al. 2025, arXiv 2508.07750, eq. 2, its terms sorted by log-probability.
    """
    return (1 + alignment) * advantages, imitation * reference - alignment * advantages
