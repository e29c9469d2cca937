"""TRL's DPO trainer on a stream of pairs that follows the weights in force.

Where TRL is left (each has a test in `tests/contracts/test_trl_hooks.py`):

- `_prepare_dataset`: rows are numbers of draws, there is nothing to tokenise.
- `_prepare_inputs`: draws become pairs at the step that trains on them, not when the loader fetched
  them a step earlier, so that weights which moved in between are obeyed.
- `precompute_ref_logps`: the reference log-probabilities come with the pairs, no reference pass is
  made.
- `save_model`: trainer state holds the adapter, see `run.SavesAdapter`.
- `_send_telemetry`: a sweep does not report itself to anyone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase
from trl import DPOConfig, DPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference

from paretoflow.methods.context import Run
from paretoflow.methods.run import SavesAdapter, drop_reference_copy


@dataclass(frozen=True)
class PairBatch:
    """What one forward pass trains on.

    Args:
        examples: Rows of TRL's preference collator, reference log-probabilities included.
        beta: Scale of the log-ratios in the loss.
    """

    examples: list[dict[str, Any]]
    beta: float


class PairTrainer(SavesAdapter, DPOTrainer):
    """Trains on the batches that a method makes from the numbers of draws.

    Args:
        arguments: The method's own options for `DPOConfig`, for instance `loss_type`.
        make_batch: Draw numbers to the batch under the weights in force.
    """

    def __init__(
        self,
        run: Run,
        tokenizer: PreTrainedTokenizerBase,
        arguments: dict[str, Any],
        make_batch: Callable[[Sequence[int]], PairBatch],
    ) -> None:
        config = DPOConfig(
            **run.arguments,
            **arguments,
            disable_dropout=False,
            max_length=None,
            train_sampling_strategy="sequential",  # draws are shuffled already
        )
        draws = config.max_steps * config.per_device_train_batch_size
        draws *= config.gradient_accumulation_steps * config.world_size
        super().__init__(
            model=run.model,
            args=config,
            data_collator=_collate_draws,
            train_dataset=Dataset.from_dict({"draw": list(range(draws))}),
            processing_class=tokenizer,
        )
        drop_reference_copy(run.model)
        self.precompute_ref_logps = True
        self._make_batch = make_batch
        self._collate_pairs = DataCollatorForPreference(pad_token_id=tokenizer.pad_token_id)

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset

    def _prepare_inputs(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        batch = self._make_batch(inputs["draw"].tolist())
        self.beta = batch.beta
        prepared: dict[str, torch.Tensor] = super()._prepare_inputs(
            self._collate_pairs(batch.examples)
        )
        return prepared

    def _send_telemetry(self) -> None:
        return


def _collate_draws(rows: list[dict[str, int]]) -> dict[str, torch.Tensor]:
    return {"draw": torch.tensor([row["draw"] for row in rows])}
