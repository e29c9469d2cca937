"""TRL's hooks that supervised training in stages leans on: each fails when TRL changes under it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from paretoflow.spec.methods import RicMethodSpec
from tests.method_bench import parameters, train, weighted

pytestmark = pytest.mark.train

SHARED: dict[str, Any] = {"type": "ric", "steps": 2, "batch_size": 4, "learning_rate": 5e-3}
MIXED = weighted(0.5, 0.3, 0.2)


def test_the_hooks_have_the_signatures_that_are_overridden():
    from transformers import Trainer
    from trl import SFTTrainer

    batches = ["self", "epoch_iterator", "num_batches", "device"]
    assert parameters(Trainer.get_batch_samples) == batches
    assert SFTTrainer.get_batch_samples is Trainer.get_batch_samples
    assert parameters(Trainer._get_num_items_in_batch) == ["self", "batch_samples", "device"]
    loads = ["self", "resume_from_checkpoint", "model"]
    assert parameters(SFTTrainer._load_from_checkpoint) == loads
    assert SFTTrainer.save_model is Trainer.save_model
    assert parameters(SFTTrainer._send_telemetry) == ["self"]


def test_the_collator_pads_on_the_right_and_keeps_labels():
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    rows = [
        {"input_ids": [5, 6, 7], "labels": [-100, 6, 7]},
        {"input_ids": [8, 9], "labels": [-100, 9]},
    ]
    batch = DataCollatorForLanguageModeling(pad_token_id=0)(rows)
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, 9, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert batch["labels"].tolist() == [[-100, 6, 7], [-100, 9, -100]]


def test_the_loss_is_that_of_all_answer_tokens_of_a_step(context, tmp_path, monkeypatch):
    """By the base's own log-probabilities: a fresh adapter changes nothing in the first step."""
    from paretoflow.lm.logprobs import sequence_logprobs
    from paretoflow.methods.conditioned.stages import ExampleOrder
    from paretoflow.methods.training.checkpoints import CheckpointCallback

    losses: list[float] = []
    drawn: list[Any] = []
    on_log, draw = CheckpointCallback.on_log, ExampleOrder.draw

    def logged(self: Any, args: Any, state: Any, control: Any, **given: Any) -> None:
        losses.extend([given["logs"]["loss"]] if "loss" in given["logs"] else [])
        on_log(self, args, state, control, **given)

    def noted(self: Any, numbers: Any) -> Any:
        found = draw(self, numbers)
        drawn.extend(found)
        return found

    monkeypatch.setattr(CheckpointCallback, "on_log", logged)
    monkeypatch.setattr(ExampleOrder, "draw", noted)
    spec = RicMethodSpec(**SHARED, rounds=0, gradient_accumulation=2)
    train(context, spec, MIXED, tmp_path)
    first = drawn[:4]
    logprobs = sequence_logprobs(
        context.lm.model,
        context.lm,
        [e.prompt_ids for e in first],
        [e.answer_ids for e in first],
        4,
    )
    tokens = sum(len(e.answer_ids) for e in first)
    assert losses[0] == pytest.approx(-float(np.sum(logprobs)) / tokens, rel=1e-4)


def test_trainer_state_holds_the_stage_once_there_is_one_to_lose(context, tmp_path):
    files: dict[int, set[str]] = {}

    def look(checkpoint: Any) -> None:
        if checkpoint.state is not None:
            files[checkpoint.step] = {p.name for p in checkpoint.state.iterdir()}

    spec = RicMethodSpec(**{**SHARED, "steps": 3}, checkpoint_every=1, rounds=1, round_steps=2)
    train(context, spec, MIXED, tmp_path, report=look)
    assert "stage.json" not in files[1]
    assert "stage.json" in files[2]
    assert "adapter_model.safetensors" in files[1] & files[2]


def test_a_stage_is_sampled_from_the_policy_as_the_step_before_left_it(
    context, tmp_path, monkeypatch
):
    from paretoflow.methods.conditioned.ric import RicStages

    seen: list[tuple[bool, float]] = []
    following = RicStages.following

    def noted(self: Any, before: Any, model: Any, pulse: Any) -> Any:
        moved = sum(
            float(p.detach().abs().sum()) for n, p in model.named_parameters() if "lora_B" in n
        )
        found = following(self, before, model, pulse)
        seen.append((model.training, moved))
        return found

    monkeypatch.setattr(RicStages, "following", noted)
    train(context, RicMethodSpec(**SHARED, rounds=1), MIXED, tmp_path)
    ((training, moved),) = seen
    assert training
    assert moved > 0
