"""TRL's private hooks that the methods lean on: each test fails when TRL changes under it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoflow.core.launch import Launch
from paretoflow.core.protocols import AttemptContext
from paretoflow.core.values import FloatArray, LaunchKind, Proposal, WeightVector
from paretoflow.spec.methods import DualSpec, GrpoMethodSpec, ModpoMethodSpec
from tests.method_bench import make_context, parameters, plain_dpo, train, weighted

pytestmark = pytest.mark.train

SHARED: dict[str, Any] = {"steps": 2, "batch_size": 4, "learning_rate": 5e-3}
MIXED = weighted(0.5, 0.3, 0.2)


def test_the_hooks_have_the_signatures_that_are_overridden():
    from transformers import Trainer
    from trl import DPOTrainer, GRPOTrainer

    assert parameters(DPOTrainer._prepare_dataset)[1] == "dataset"
    assert parameters(Trainer._prepare_inputs) == ["self", "inputs"]
    assert DPOTrainer._prepare_inputs is Trainer._prepare_inputs
    assert parameters(GRPOTrainer._prepare_inputs) == ["self", "generation_batch"]
    assert parameters(GRPOTrainer._tokenize_prompts) == ["self", "prompts"]
    assert parameters(DPOTrainer._send_telemetry) == ["self"]
    assert GRPOTrainer._send_telemetry is DPOTrainer._send_telemetry
    assert parameters(Trainer._save_checkpoint) == ["self", "model", "trial"]
    assert parameters(Trainer.save_model) == ["self", "output_dir", "_internal_call"]
    assert GRPOTrainer.save_model is DPOTrainer.save_model is Trainer.save_model


def test_no_card_is_made_of_a_checkpoint_and_packages_are_looked_up_once(
    context, tmp_path, monkeypatch
):
    from accelerate.utils import imports
    from huggingface_hub import ModelCard
    from trl.trainer.base_trainer import _BaseTrainer

    looked: list[str] = []
    look = getattr(imports._is_package_available, "__wrapped__", imports._is_package_available)

    def counted(name: str, metadata_name: str | None = None) -> bool:
        looked.append(name)
        return bool(look(name, metadata_name))

    monkeypatch.setattr(imports, "_is_package_available", counted)
    monkeypatch.setattr(ModelCard, "from_template", lambda *_, **__: pytest.fail("a card"))
    assert callable(_BaseTrainer.create_model_card)
    train(context, plain_dpo(**SHARED, checkpoint_every=1), MIXED, tmp_path)
    assert looked
    assert len(looked) == len(set(looked))
    assert not list(tmp_path.rglob("README.md"))


def test_trainer_state_holds_the_adapter_and_what_the_next_step_needs(context, tmp_path):
    files = []

    def look(checkpoint: Any) -> None:
        if checkpoint.state is not None:
            files.extend(p.name for p in checkpoint.state.iterdir())

    spec = plain_dpo(**SHARED, checkpoint_every=1)
    train(context, spec, MIXED, tmp_path, report=look)
    assert sorted(files) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "optimizer.pt",
        "paretoflow_state.json",
        "rng_state.pth",
        "scheduler.pt",
        "trainer_state.json",
    ]


@pytest.mark.parametrize(
    "spec", [plain_dpo(**SHARED), GrpoMethodSpec(type="grpo", **SHARED)], ids=["dpo", "grpo"]
)
def test_nothing_is_sent_to_anyone(spec, context, tmp_path, monkeypatch):
    from trl.trainer import base_trainer

    monkeypatch.delenv("CI", raising=False)
    sent = []
    monkeypatch.setattr(base_trainer, "send_telemetry", lambda **given: sent.append(given))
    train(context, spec, MIXED, tmp_path)
    assert sent == []


def test_the_shared_reference_is_what_trl_would_compute(context, tmp_path, monkeypatch):
    from paretoflow.methods.offline import pair_trainer

    pairs = []
    own = pair_trainer.PairTrainer._compute_loss

    def compare(self: Any, model: Any, inputs: Any, return_outputs: bool) -> Any:
        chosen, rejected = self.compute_ref_log_probs(model, inputs)
        pairs.append((inputs["ref_chosen_logps"], chosen))
        pairs.append((inputs["ref_rejected_logps"], rejected))
        return own(self, model, inputs, return_outputs)

    monkeypatch.setattr(pair_trainer.PairTrainer, "_compute_loss", compare)
    train(context, plain_dpo(**SHARED), MIXED, tmp_path)
    assert len(pairs) == 4
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=2e-4)


def test_no_reference_pass_is_made(context, tiny_lm, tmp_path):
    calls = []
    hook = tiny_lm.model.model.register_forward_hook(lambda *_: calls.append(1))
    try:
        train(context, plain_dpo(**SHARED), MIXED, tmp_path)
    finally:
        hook.remove()
    assert len(calls) == 2  # one for each step


@pytest.mark.parametrize(("loss", "start"), [("sigmoid", 0.693147), ("hinge", 1.0), ("ipo", 25.0)])
def test_losses_start_where_the_log_ratios_are_zero(loss, start, context, tmp_path, logs):
    train(context, plain_dpo(**SHARED, loss=loss), MIXED, tmp_path)
    assert logs[0]["loss"] == pytest.approx(start, rel=1e-4)
    assert logs[1]["loss"] < start


def test_a_warm_start_is_measured_against_the_base(context, tmp_path, logs):
    parent = train(context, plain_dpo(**SHARED), MIXED, tmp_path).checkpoints[-1].folder
    logs.clear()
    train(context, plain_dpo(**SHARED), MIXED, tmp_path, parent=parent)
    assert logs[0]["loss"] < 0.69


def test_modpo_with_all_the_weight_on_one_objective_is_dpo(context, tmp_path, logs):
    one_hot = weighted(0.0, 1.0, 0.0)
    train(context, plain_dpo(**SHARED), one_hot, tmp_path)
    train(context, ModpoMethodSpec(type="modpo", labels="hard", **SHARED), one_hot, tmp_path)
    dpo, modpo = logs[:2], logs[2:]
    assert [row["loss"] for row in modpo] == pytest.approx([row["loss"] for row in dpo], abs=1e-6)


def test_modpo_starts_at_the_loss_of_its_margins_alone(context, tmp_path, logs):
    from paretoflow.methods.preferences.pairs import PairStream, PairTable

    train(context, ModpoMethodSpec(type="modpo", labels="hard", **SHARED), MIXED, tmp_path)
    gains = context.candidates.gains
    first, second = np.triu_indices(gains.shape[1], k=1)
    spread = np.sqrt(np.mean((gains[:, first] - gains[:, second]) ** 2, axis=(0, 1)))
    stream = PairStream(PairTable(context.candidates, 2), seed=0)
    losses = []
    for pair in stream.draw(range(4), np.array([1.0, 0.0, 0.0])):
        difference = gains[pair.prompt, pair.chosen] - gains[pair.prompt, pair.rejected]
        margin = 0.3 * difference[1] / spread[1] + 0.2 * difference[2] / spread[2]
        losses.append(np.log1p(np.exp(margin / 0.5)))
    assert logs[0]["loss"] == pytest.approx(np.mean(losses), rel=1e-4)


def moving(tmp_path: Path, context: Any, spec: Any) -> None:
    """Run a launch with weights (1, 0, 0) in the first step and (0.5, 0.5, 0) in the second."""
    proposal = Proposal(
        LaunchKind.CONSTRAINED,
        WeightVector((1.0, 0.0, 0.0)),
        0,
        "test",
        "test",
        target=0,
        thresholds=(0.0, 1.0, -1.0),
    )
    dual = DualSpec(every=1, lr=1, lookahead=0, paired=False, result="last")
    train(context, spec.model_copy(update={"dual": dual}), proposal, tmp_path)


def test_pairs_follow_weights_that_moved_after_the_loader_fetched(context, tmp_path, monkeypatch):
    from paretoflow.methods.preferences.pairs import PairStream

    seen: list[list[float]] = []
    own = PairStream.draw

    def draw(self: Any, numbers: Any, weights: FloatArray) -> Any:
        seen.append(weights.tolist())
        return own(self, numbers, weights)

    monkeypatch.setattr(PairStream, "draw", draw)
    moving(tmp_path, context, plain_dpo(**SHARED))
    assert seen == [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]


@pytest.mark.parametrize("aggregation", ["linear", "normalize_then_sum"])
def test_grpo_scores_once_with_the_weights_in_force(aggregation, tiny_lm, tmp_path, monkeypatch):
    from trl import GRPOTrainer

    context = make_context(tiny_lm)
    weights, scored, turns = [], [], []
    score, turn = GRPOTrainer._calculate_rewards, GRPOTrainer._generate_single_turn

    def calculate(self: Any, *given: Any) -> Any:
        rewards = score(self, *given)
        weights.append(self.reward_weights.tolist())
        scored.append(rewards.numpy())
        return rewards

    def generate(self: Any, prompt_ids: Any, *given: Any) -> Any:
        turns.append(prompt_ids)
        return turn(self, prompt_ids, *given)

    monkeypatch.setattr(GRPOTrainer, "_calculate_rewards", calculate)
    monkeypatch.setattr(GRPOTrainer, "_generate_single_turn", generate)
    batches = []
    own = context.rewards

    def rewards(prompts: Any, completions: Any) -> FloatArray:
        gains = own(prompts, completions)
        batches.append((prompts, gains))
        return gains

    object.__setattr__(context, "rewards", rewards)
    moving(tmp_path, context, GrpoMethodSpec(type="grpo", aggregation=aggregation, **SHARED))
    assert weights == [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]
    assert len(batches) == 2  # three objectives, one call for each step
    table = context.candidates
    for (prompts, gains), seen, ids in zip(batches, scored, turns, strict=True):
        assert len({p.prompt_id for p in prompts}) == 1  # one group of four
        row = table.prompts.index(prompts[0])
        within = np.sqrt(table.gains.var(axis=1, ddof=1).mean(axis=0))
        counted = (gains - table.gains[row].mean(axis=0)) / within
        np.testing.assert_allclose(seen, counted, rtol=1e-5, atol=1e-6)
        assert ids == [list(table.prompt_ids[row])] * 4


def test_grpo_is_pulled_to_the_base_and_not_to_its_parent(context, tmp_path, logs):
    spec = GrpoMethodSpec(type="grpo", **SHARED)
    parent = train(context, spec, MIXED, tmp_path).checkpoints[-1].folder
    assert logs[0]["kl"] == pytest.approx(0.0, abs=1e-5)
    logs.clear()
    train(context, spec, MIXED, tmp_path, parent=parent)
    assert logs[0]["kl"] > 1e-4


def test_the_frozen_copy_of_the_starting_adapter_is_gone(context, tmp_path):
    from paretoflow.lm.adapters import fresh_adapter, unload
    from paretoflow.methods.constrained.dual import DualController
    from paretoflow.methods.distributed.ranks import Ranks
    from paretoflow.methods.offline.pair_trainer import PairBatch, PairTrainer
    from paretoflow.methods.training.arguments import shared_arguments
    from paretoflow.methods.training.context import Run

    spec = plain_dpo(**SHARED)
    attempt = AttemptContext(Launch("run", 0, MIXED), tmp_path)
    model = fresh_adapter(context.lm, context.lora, 0)
    try:
        arguments = shared_arguments(spec, attempt, context.lm)
        controller = DualController(spec.dual, MIXED, context.scale)
        run = Run(spec, attempt, Ranks(attempt.parallel, "cpu"), model, controller, arguments)
        trainer = PairTrainer(run, context.lm.tokenizer, {}, lambda _: PairBatch([], 0.1))
        assert list(model.peft_config) == ["default"]
        assert trainer.ref_model is None
        assert trainer.loss_types == ["sigmoid"]
    finally:
        unload(model)
        vars(context.lm.model).pop("forward", None)
