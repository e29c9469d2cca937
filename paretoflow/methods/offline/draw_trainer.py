"""TRL's DPO trainer on draw numbers, which become a batch at the step that trains on them.

Departures from TRL (each has a test in `tests/contracts/test_trl_hooks.py`):

- `_prepare_dataset`: rows are draw numbers, there is nothing to tokenise.
- `_prepare_inputs`: draws become examples at the step that trains on them, not when the loader
  fetched them a step earlier, so that they follow the current weights.
- `precompute_ref_logps`: the reference log-probabilities come with the examples, no reference pass
  is made.
- `save_model`: trainer state holds the adapter, see `run.SavesAdapter`.
- `create_scheduler`: no step is wasted on a learning rate of 0, see `lm.schedule`.
- `_send_telemetry`: disabled.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase
from trl import DPOConfig, DPOTrainer

from paretoflow.lm.schedule import RisesFromItsFirstStep
from paretoflow.methods.training.context import Run
from paretoflow.methods.training.run import SavesAdapter, drop_reference_copy


class DrawTrainer(SavesAdapter, RisesFromItsFirstStep, DPOTrainer):
    """Trains on the batches that `batch_of` makes from draw numbers.

    Args:
        arguments: The method's own options for `DPOConfig`, for instance `loss_type`.
    """

    def __init__(
        self, run: Run, tokenizer: PreTrainedTokenizerBase, arguments: dict[str, Any]
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

    @abstractmethod
    def batch_of(self, draws: Sequence[int]) -> dict[str, torch.Tensor]:
        """Return the draws' examples, collated, on any device."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset

    def _prepare_inputs(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        batch = self.batch_of(inputs["draw"].tolist())
        prepared: dict[str, torch.Tensor] = super()._prepare_inputs(batch)
        # under DeepSpeed transformers rounds floats to the base's precision; log-probabilities of
        # whole answers, some -300, would be off by 1 in bfloat16
        floats = {k: v for k, v in batch.items() if v.is_floating_point()}
        return prepared | {k: v.to(self.args.device) for k, v in floats.items()}

    def _send_telemetry(self) -> None:
        return


def _collate_draws(rows: list[dict[str, int]]) -> dict[str, torch.Tensor]:
    return {"draw": torch.tensor([row["draw"] for row in rows])}
