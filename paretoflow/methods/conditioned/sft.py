"""TRL's supervised trainer on stages of (prompt with condition, answer) examples.

Departures from TRL (each has a test in `tests/contracts/test_trl_hooks_conditioned.py`):

- `dataset_kwargs: skip_prepare_dataset`: rows are draw numbers, there is nothing to tokenise.
- `get_batch_samples`: draws become examples at the step that trains on them; the first step of a
  stage samples the policy. The loss is averaged over all tokens of a step, independent of its
  forward passes.
- `_total_train_tokens`: sampled tokens count too.
- `save_model`, `_load_from_checkpoint`: trainer state holds the adapter and the stage.
- `create_scheduler`: no step is wasted on a learning rate of 0, see `lm.schedule`.
- `_send_telemetry`: disabled.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase
from trl import SFTConfig, SFTTrainer
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from paretoflow.lm.schedule import RisesFromItsFirstStep
from paretoflow.methods.conditioned.stages import (
    Example,
    ExampleOrder,
    ExampleStage,
    Stages,
    read_stage,
    stage_at,
    write_stage,
)
from paretoflow.methods.training.context import Run
from paretoflow.methods.training.run import SavesAdapter
from paretoflow.spec.methods.conditioned import RoundsBase

_IGNORED = -100


class StageTrainer(SavesAdapter, RisesFromItsFirstStep, SFTTrainer):
    """Trains on the answers of one stage after the other; the loss excludes prompts.

    Args:
        run: The run to train.
        spec: Divides the steps among stages.
        tokenizer: Pads batches.
        stages: Creates the stages.
    """

    def __init__(
        self, run: Run, spec: RoundsBase, tokenizer: PreTrainedTokenizerBase, stages: Stages
    ) -> None:
        config = SFTConfig(
            **run.arguments,
            max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True},
            train_sampling_strategy="sequential",  # draws are shuffled already
        )
        self._spec = spec
        self._run = run
        self._stages = stages
        self._stage: ExampleStage | None = None
        self._order: ExampleOrder | None = None
        self._collated = DataCollatorForLanguageModeling(pad_token_id=tokenizer.pad_token_id)
        super().__init__(
            model=run.model,
            args=config,
            data_collator=_collate_draws,
            train_dataset=Dataset.from_dict({"draw": list(range(spec.steps * spec.batch_size))}),
            processing_class=tokenizer,
        )

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor | int | None]:
        """Return one optimiser step's batches, from its stage."""
        drawn, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        number, first_step = stage_at(self._spec, self.state.global_step)
        order = self._entered(number)
        offset = first_step * self._spec.batch_size
        batches = [
            self._collated([_row(e) for e in order.draw([n - offset for n in b["draw"].tolist()])])
            for b in drawn
        ]
        return batches, self._get_num_items_in_batch(batches, device)

    def save_model(self, output_dir: str, _internal_call: bool = False) -> None:
        """Write adapter and stage into a folder of trainer state."""
        super().save_model(output_dir, _internal_call)
        if self._stage is not None and self._stage.number:  # the first is made again
            write_stage(Path(output_dir), self._stage)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        self._stage = read_stage(Path(resume_from_checkpoint))

    def _entered(self, number: int) -> ExampleOrder:
        """Return the order of a stage; sample its examples when the run reaches it."""
        if self._stage is None:
            self._stage = self._stages.first()
        if self._stage.number != number:
            pulse = self._run.attempt.stopping or (lambda: False)
            self._stage, tokens = self._stages.following(self._stage, self._run.model, pulse)
            self._total_train_tokens += tokens
            self._order = None
        if self._order is None:
            self._order = ExampleOrder(self._stage, self._run.attempt.launch.seed)
        return self._order

    def _send_telemetry(self) -> None:
        return


def _row(example: Example) -> dict[str, list[int]]:
    prompt, answer = list(example.prompt_ids), list(example.answer_ids)
    return {"input_ids": prompt + answer, "labels": [_IGNORED] * len(prompt) + answer}


def _collate_draws(rows: list[dict[str, int]]) -> dict[str, torch.Tensor]:
    return {"draw": torch.tensor([row["draw"] for row in rows])}
