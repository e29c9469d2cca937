"""TRL's DPO losses on a stream of pairs that follows the current weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase
from trl.trainer.dpo_trainer import DataCollatorForPreference

from paretoflow.core.values import FloatArray
from paretoflow.methods.offline.draw_trainer import DrawTrainer
from paretoflow.methods.training.context import Run


@dataclass(frozen=True)
class PairBatch:
    """Batch of one forward pass.

    Args:
        examples: Rows of TRL's preference collator, reference log-probabilities included; length b.
        beta: Scale of the log-ratios in the loss.
        betas: One beta for each pair, shape (b,), in place of `beta`.
    """

    examples: list[dict[str, Any]]
    beta: float
    betas: FloatArray | None = None


class PairTrainer(DrawTrainer):
    """Trains on the batches that a method makes from draw numbers.

    Args:
        arguments: The method's own options for `DPOConfig`, for instance `loss_type`.
        make_batch: Maps draw numbers to the batch under the current weights.
    """

    def __init__(
        self,
        run: Run,
        tokenizer: PreTrainedTokenizerBase,
        arguments: dict[str, Any],
        make_batch: Callable[[Sequence[int]], PairBatch],
    ) -> None:
        super().__init__(run, tokenizer, arguments)
        self._make_batch = make_batch
        self._collate_pairs = DataCollatorForPreference(pad_token_id=tokenizer.pad_token_id)

    def batch_of(self, draws: Sequence[int]) -> dict[str, torch.Tensor]:
        """Return the method's pairs for the draws, and set their beta in TRL's config."""
        batch = self._make_batch(draws)
        self.beta: float | torch.Tensor = batch.beta
        if batch.betas is not None:  # TRL's losses also accept one for each pair
            self.beta = torch.tensor(batch.betas, dtype=torch.float32, device=self.args.device)
        collated: dict[str, torch.Tensor] = self._collate_pairs(batch.examples)
        return collated
