"""What gradient_dpo leans on in TRL and torch, and that its step is the combined one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from paretoflow.core.errors import NonFiniteLossError
from paretoflow.spec.methods import GradientDpoMethodSpec
from tests.contracts.test_trl_hooks import parameters
from tests.method_bench import plain_dpo, train, weighted

pytestmark = pytest.mark.train

SHARED: dict[str, Any] = {"steps": 1, "batch_size": 8, "learning_rate": 5e-3, "max_grad_norm": 1e9}
MIXED = weighted(0.5, 0.3, 0.2)


def spec_of(**given: Any) -> GradientDpoMethodSpec:
    return GradientDpoMethodSpec(type="gradient_dpo", **{**SHARED, **given})


@pytest.fixture
def steps(monkeypatch) -> list[dict[str, Any]]:
    """Return what each step was made of: gradients, coefficients and the gradient trained with."""
    from transformers import TrainerCallback

    from paretoflow.methods.gradients import trainer as module

    seen: list[dict[str, Any]] = []
    own_gradients, own_init = module.GradientTrainer._gradients, module.GradientTrainer.__init__

    class Look(TrainerCallback):
        def __init__(self, trainer: Any) -> None:
            self._trainer = trainer

        def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
            grads = [p.grad.flatten().double().numpy() for p in self._trainer._trained]
            seen[-1]["trained"] = np.concatenate(grads)
            seen[-1]["coefficients"] = self._trainer._coefficients.numpy()

    def init(self: Any, *given: Any) -> None:
        own_init(self, *given)
        self.add_callback(Look(self))

    def gradients(self: Any, objectives: list[int]) -> Any:
        assert all(p.grad is None for p in self._trained)
        rows = own_gradients(self, objectives)
        assert all(p.grad is None for p in self._trained)
        passes = self.current_gradient_accumulation_steps * module._SCALE
        seen.append({"gradients": rows.double().numpy() / passes})
        return rows

    monkeypatch.setattr(module.GradientTrainer, "__init__", init)
    monkeypatch.setattr(module.GradientTrainer, "_gradients", gradients)
    return seen


def test_the_hooks_have_the_signatures_that_are_overridden():
    from transformers import Trainer
    from trl import DPOTrainer

    assert DPOTrainer.get_batch_samples is Trainer.get_batch_samples
    names = ["self", "epoch_iterator", "num_batches", "device"]
    assert parameters(Trainer.get_batch_samples) == names
    assert parameters(Trainer.training_step) == ["self", "model", "inputs", "num_items_in_batch"]


@pytest.mark.parametrize("passes", [1, 4])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_the_second_pass_has_the_combined_gradient(passes, dropout, context, tmp_path, steps):
    from dataclasses import replace

    dropping = replace(context, lora=context.lora.model_copy(update={"dropout": dropout}))
    spec = spec_of(steps=2, gradient_accumulation=passes)
    train(dropping, spec, MIXED, tmp_path)
    assert len(steps) == 2  # the first pass comes once for each step, however many passes
    for step in steps:
        combined = step["coefficients"] @ step["gradients"]
        scale = np.abs(combined).max()
        np.testing.assert_allclose(step["trained"], combined, atol=2e-5 * scale)
        assert not np.allclose(step["coefficients"], [0.5, 0.3, 0.2], atol=1e-2)


@pytest.mark.parametrize("tag", ["mgda", "cagrad", "raco"])
def test_the_coefficients_are_the_combiners(tag, context, tmp_path, steps):
    from paretoflow.methods.gradients.combiners import coefficients

    spec = spec_of(combiner=tag)
    train(context, spec, MIXED, tmp_path)
    (step,) = steps
    gram = step["gradients"] @ step["gradients"].T
    expected = coefficients(spec.combiner, gram, np.array([0.5, 0.3, 0.2]))
    np.testing.assert_allclose(step["coefficients"], expected, rtol=1e-6)


def test_only_weighted_objectives_cost_a_gradient(context, tmp_path, steps):
    train(context, spec_of(), weighted(0.6, 0.0, 0.4), tmp_path)
    assert steps[0]["gradients"].shape[0] == 2
    assert steps[0]["coefficients"][1] == 0


def test_linear_with_one_hot_weights_is_dpo(context, tmp_path):
    one_hot = weighted(0.0, 1.0, 0.0)
    ours = train(context, spec_of(steps=3, combiner="linear"), one_hot, tmp_path).adapter
    theirs = train(context, plain_dpo(**{**SHARED, "steps": 3}), one_hot, tmp_path).adapter
    assert all(np.allclose(ours[k], theirs[k], atol=1e-6) for k in theirs)


def test_each_objective_has_its_loss_and_coefficient_in_the_log(context, tmp_path):
    run = train(context, spec_of(), MIXED, tmp_path)
    metrics = run.checkpoints[-1].metrics
    names = context.objective_names
    total = sum(metrics[f"loss/{n}"] * metrics[f"coefficient/{n}"] for n in names)
    assert metrics["loss"] == pytest.approx(total, rel=1e-5)
    assert all(0 < metrics[f"loss/{n}"] <= np.log(2) + 1e-3 for n in names)


def test_a_gradient_that_is_not_finite_ends_the_run(context, tmp_path, monkeypatch):
    from paretoflow.methods.gradients import trainer as module

    monkeypatch.setattr(module, "gram_of", lambda rows: np.full((3, 3), np.nan))
    with pytest.raises(NonFiniteLossError, match=r"gradient of .* is not finite at step 1"):
        train(context, spec_of(), MIXED, tmp_path)


def test_objective_losses_by_hand():
    import torch

    from paretoflow.methods.gradients.trainer import objective_losses

    signs = torch.tensor([[1.0, -1.0], [1.0, 0.0]])
    losses = objective_losses(torch.tensor([5.0, -5.0]), signs, 0.1, torch.ones(2, 2))
    np.testing.assert_allclose(losses.numpy(), [0.724077, 0.487038], atol=1e-6)


def test_inner_products_are_taken_in_parts(monkeypatch):
    import torch

    from paretoflow.methods.gradients import trainer as module

    rows = torch.randn(3, 10, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(module, "_PART", 4)
    expected = rows.double() @ rows.double().T
    np.testing.assert_allclose(module.gram_of(rows), expected.numpy(), rtol=1e-12)


def test_contested_margins_by_hand():
    from paretoflow.methods.gradients.gradient_dpo import contested_margins

    differences = np.array([[[2.0, -1.0], [-2.0, 1.0], [1.0, -1.0]]])
    assert contested_margins(differences, np.array([0.5, 0.5])).tolist() == [[1.5, -1.5, 1.0]]


def test_a_pair_that_objectives_disagree_on_is_taken(context):
    from paretoflow.methods.gradients.gradient_dpo import contested_margins
    from paretoflow.methods.gradients.trainer import preferences
    from paretoflow.methods.preferences.pairs import PairStream, PairTable

    stream = PairStream(PairTable(context.candidates, 3, contested_margins), seed=0)
    signs = preferences(stream.draw(range(12), np.array([0.5, 0.3, 0.2])))
    assert set(np.unique(signs)) <= {-1.0, 0.0, 1.0}
    assert (signs[:, 0] != signs[:, 1]).any()


def test_one_hot_weights_take_the_pairs_of_dpo(context):
    from paretoflow.methods.gradients.gradient_dpo import contested_margins
    from paretoflow.methods.preferences.pairs import PairTable

    ours = PairTable(context.candidates, 2, contested_margins).ranked(np.eye(3)[1])
    assert np.array_equal(ours, PairTable(context.candidates, 2).ranked(np.eye(3)[1]))
