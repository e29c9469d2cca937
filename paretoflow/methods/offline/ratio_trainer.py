"""Any loss of log-ratios to the base, on answers in any number and order.

For losses that TRL lacks, or has only for pairs. Departure from TRL, beside those of
`draw_trainer`: `_compute_loss` makes the same forward pass as TRL's and logs the same `num_tokens`
and `entropy`, but with the method's loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from paretoflow.core.protocols import Candidates
from paretoflow.methods.offline.draw_trainer import DrawTrainer
from paretoflow.methods.preferences.pairs import Pair
from paretoflow.methods.training.context import MethodContext, Run

RatioLoss = Callable[[torch.Tensor], torch.Tensor]
"""log pi(answer) - log pi_base(answer) of each answer, shape (n,), to a scalar."""


@dataclass(frozen=True)
class RatioBatch:
    """Batch of one forward pass.

    Args:
        answers: (prompt, answer) indices into the candidates, length n.
        loss: Maps the answers' log-ratios, in their order, to the loss; a mean over examples, so
            that the division of a batch over forward passes and ranks has no effect.
    """

    answers: list[tuple[int, int]]
    loss: RatioLoss


class RatioTrainer(DrawTrainer):
    """Trains on the batches that a method makes from draw numbers.

    Logs `log_ratio`, the mean over all answers of a step, on all ranks.
    """

    def __init__(
        self, run: Run, context: MethodContext, make_batch: Callable[[Sequence[int]], RatioBatch]
    ) -> None:
        super().__init__(run, context.lm.tokenizer, {})
        self._candidates = context.candidates
        self._pad_id = int(context.lm.tokenizer.pad_token_id)
        self._make_batch = make_batch
        self._answers: list[tuple[int, int]] = []
        self._loss: RatioLoss = torch.mean

    def batch_of(self, draws: Sequence[int]) -> dict[str, torch.Tensor]:
        """Return the method's answers for the draws, and set their loss."""
        batch = self._make_batch(draws)
        self._loss, self._answers = batch.loss, batch.answers
        return collate(self._candidates, batch.answers, self._pad_id)

    def _compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool
    ) -> torch.Tensor:
        outputs, ratios = forward(model, inputs)
        shifted = inputs["completion_mask"][:, 1:]
        with torch.no_grad():
            entropy = self._total((outputs.entropy * shifted).sum()) / self._total(shifted.sum())
            log_ratio = self.accelerator.gather(ratios.detach()).mean().item()
        self._total_train_tokens += int(self._total(inputs["attention_mask"].sum()))
        self._metrics["train"]["num_tokens"] = [self._total_train_tokens]
        self._metrics["train"]["entropy"].append(entropy)
        self._metrics["train"]["log_ratio"].append(log_ratio)
        return self._loss(ratios)

    def _total(self, count: torch.Tensor) -> float:
        return float(self.accelerator.gather(count).sum().item())


def forward(model: Any, inputs: dict[str, torch.Tensor]) -> tuple[Any, torch.Tensor]:
    """Return the outputs of TRL's fused head and the answers' log-ratios to the base, shape (n,).

    Args:
        model: The model in training.
        inputs: As returned by `collate`.
    """
    outputs = model(
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        labels=inputs["input_ids"].masked_fill(inputs["completion_mask"] == 0, -100),
        use_cache=False,
        fused_lm_head=True,
    )
    return outputs, outputs.log_probs.sum(dim=1) - inputs["ref_logps"]


def collate(
    candidates: Candidates, answers: Sequence[tuple[int, int]], pad_id: int
) -> dict[str, torch.Tensor]:
    """Return padded ids and masks of prompt and answer, shape (n, t), and references, (n,)."""
    prompts = [candidates.prompt_ids[p] for p, _ in answers]
    completions = [candidates.completion_ids[p][a] for p, a in answers]
    refs = [float(candidates.ref_logprobs[p, a]) for p, a in answers]
    return {**padded(prompts, completions, pad_id), "ref_logps": torch.tensor(refs)}


def padded(
    prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]], pad_id: int
) -> dict[str, torch.Tensor]:
    """Return padded ids and masks of n prompts, each with an answer, shape (n, t) each."""
    both = [
        (torch.tensor(p), torch.tensor(c, dtype=torch.long))
        for p, c in zip(prompts, completions, strict=True)
    ]
    ids = [torch.cat(pair) for pair in both]
    masks = [torch.cat([torch.zeros_like(p), torch.ones_like(c)]) for p, c in both]
    return {
        "input_ids": pad_sequence(ids, batch_first=True, padding_value=pad_id),
        "attention_mask": pad_sequence([torch.ones_like(row) for row in ids], batch_first=True),
        "completion_mask": pad_sequence(masks, batch_first=True),
    }


def likelihood_terms(
    candidates: Candidates, answers: Sequence[tuple[int, int]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the base's log-probabilities of answers and their tokens, at least 1, (n,) each."""
    refs = torch.tensor([float(candidates.ref_logprobs[p, a]) for p, a in answers])
    tokens = [max(len(candidates.completion_ids[p][a]), 1) for p, a in answers]
    return refs, torch.tensor(tokens)


def answers_of(pairs: Sequence[Pair]) -> list[tuple[int, int]]:
    """Return the better answers of all pairs, then the worse."""
    better = [(pair.prompt, pair.chosen) for pair in pairs]
    return better + [(pair.prompt, pair.rejected) for pair in pairs]
