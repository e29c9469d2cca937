"""Hooks of online trainers in TRL and transformers, and the effect of aggregators on the loss."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from paretoflow.core.errors import RunInterrupted
from paretoflow.core.protocols import Checkpoint
from paretoflow.core.values import LaunchKind, Proposal, WeightVector
from paretoflow.methods.training.states import latest_state
from paretoflow.spec.methods import GrpoMethodSpec, MethodSpec, RlooMethodSpec
from tests.method_bench import Trained, parameters, train, weighted

pytestmark = pytest.mark.train

SHARED: dict[str, Any] = {"steps": 2, "batch_size": 8, "learning_rate": 5e-3}
SPECS = {"grpo": GrpoMethodSpec, "rloo": RlooMethodSpec}
MIXED = weighted(0.5, 0.3, 0.2)


def spec_of(tag: str, **knobs: Any) -> MethodSpec:
    return SPECS[tag](type=tag, **{**SHARED, **knobs})


def test_the_hooks_have_the_signatures_that_are_overridden():
    from transformers.trainer_callback import ExportableState
    from trl import GRPOTrainer, RLOOTrainer

    for trainer in (GRPOTrainer, RLOOTrainer):
        assert parameters(trainer._prepare_inputs) == ["self", "generation_batch"]
        assert parameters(trainer._tokenize_prompts) == ["self", "prompts"]
        assert len(parameters(trainer._calculate_rewards)) == 5
        assert parameters(trainer._generate_and_score_completions) == ["self", "inputs"]
        assert parameters(trainer._compute_loss) == ["self", "model", "inputs"]
    assert parameters(ExportableState.state) == ["self"]


@pytest.mark.parametrize(
    ("tag", "aggregation", "steps"),
    [("grpo", "linear", 1), ("grpo", "normalize_then_sum", 1), ("rloo", "linear", 2)],
)
def test_plain_sums_are_trls_own(tag, aggregation, steps, context, tmp_path, monkeypatch):
    import trl

    from paretoflow.methods.online.trainer import OnlineTrainer

    theirs, ours = [], []
    base = {"grpo": trl.GRPOTrainer, "rloo": trl.RLOOTrainer}[tag]
    inner, outer = (c._generate_and_score_completions for c in (base, OnlineTrainer))

    def plain(self: Any, inputs: Any) -> Any:
        if aggregation == "normalize_then_sum":
            self.multi_objective_aggregation = aggregation
        output = inner(self, inputs)
        theirs.append(output["advantages"].numpy().copy())
        return output

    def aggregated(self: Any, inputs: Any) -> Any:
        output = outer(self, inputs)
        ours.append(output["advantages"].numpy().copy())
        return output

    monkeypatch.setattr(base, "_generate_and_score_completions", plain)
    monkeypatch.setattr(OnlineTrainer, "_generate_and_score_completions", aggregated)
    train(context, spec_of(tag, steps=steps, aggregation=aggregation, beta=0.3), MIXED, tmp_path)
    assert len(ours) == len(theirs) == steps
    assert all(np.ptp(advantages) > 0.5 for advantages in theirs)
    np.testing.assert_allclose(ours, theirs, atol=2e-5)


@pytest.mark.parametrize("tag", SPECS)
def test_sampled_answers_end_at_a_stop_text(tag, context, tmp_path, monkeypatch):
    """Both rewards and the loss see answers that end where the spec says."""
    from paretoflow.lm.stops import StopTexts
    from paretoflow.methods.online.trainer import OnlineTrainer

    stops = StopTexts(context.lm.tokenizer, ("e", "a"))
    generation = context.generation.model_copy(update={"stop": stops.texts})
    answered, lengths = [], []
    inner = OnlineTrainer._generate_and_score_completions

    def seen(self: Any, inputs: Any) -> Any:
        output = inner(self, inputs)
        for ids, mask in zip(output["completion_ids"], output["completion_mask"], strict=True):
            kept = ids[mask.bool()].tolist()
            lengths.append(len(kept))
            assert stops.cut(kept) == kept
        return output

    def rewards(prompts: Any, answers: Any) -> Any:
        answered.extend(answers)
        return context.rewards(prompts, answers)

    monkeypatch.setattr(OnlineTrainer, "_generate_and_score_completions", seen)
    stopping = replace(context, generation=generation, rewards=rewards)
    train(stopping, spec_of(tag, steps=1), MIXED, tmp_path)
    assert min(lengths) < generation.max_new_tokens
    assert answered
    assert not [text for text in answered if "e" in text or "a" in text]


@pytest.fixture(scope="module")
def linear(context, tmp_path_factory) -> Trained:
    spec = spec_of("grpo", steps=1, aggregation="linear")
    return train(context, spec, MIXED, tmp_path_factory.mktemp("linear"))


@pytest.mark.parametrize(
    "aggregation", ["chebyshev", "log_sigmoid", "maxmin", "pama", "pama_scalar"]
)
def test_an_aggregator_reaches_the_adapter(aggregation, linear, context, tmp_path):
    run = train(context, spec_of("grpo", steps=1, aggregation=aggregation), MIXED, tmp_path)
    assert not close(run, linear)


@pytest.mark.parametrize(("tag", "weights"), [("grpo", (0.0, 1.0, 0.0)), ("rloo", (0.5, 0.3, 0.2))])
def test_the_objectives_gradients_make_up_the_step(tag, weights, context, tmp_path, monkeypatch):
    """Hold the weighted sum of the gradients to the norm of the step's own, which TRL logs.

    Under RLOO advantages are linear in the rewards, and so is the gradient; under GRPO a single
    objective has the step to itself.
    """
    from paretoflow.methods.online.aggregators.grad_dynamic import GradDynamic

    grams = []
    monkeypatch.setattr(GradDynamic, "learn", lambda self, gram: grams.append(gram))
    spec = spec_of(tag, steps=1, aggregation="grad_dynamic", gradient_accumulation=2, beta=0)
    run = train(context, spec, weighted(*weights), tmp_path)
    ((gram,), w) = grams, np.array(weights)
    assert gram.shape == (3, 3)
    norm = run.checkpoints[-1].metrics["grad_norm"]
    assert norm > 1e-3
    assert np.sqrt(w @ gram @ w) == pytest.approx(norm, rel=1e-3)


DYNAMIC = {
    "hv_dynamic": {"type": "hv_dynamic", "every": 1},
    "grad_dynamic": {"type": "grad_dynamic", "rate": 1.0, "every": 2},
}


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("tag", "metric"), [("hv_dynamic", "hypervolume_factor"), ("grad_dynamic", "weight/length")]
)
def test_an_aggregators_state_goes_on_where_it_was(tag, metric, context, tmp_path):
    def validate(model: Any) -> np.ndarray:
        import torch

        torch.rand(3)
        trained = [p.detach() for p in model.parameters() if p.requires_grad]
        total = float(sum(p.abs().sum() for p in trained))
        return context.candidates.mean + np.array([0.1, 0.2, 0.3]) * total

    looked = replace(context, validate=validate)
    spec = spec_of("grpo", steps=3, batch_size=4, checkpoint_every=2, aggregation=DYNAMIC[tag])
    undisturbed = train(looked, spec, MIXED, tmp_path)
    saved: list[Checkpoint] = []

    def stop() -> bool:
        return bool(saved)

    with pytest.raises(RunInterrupted):
        train(looked, spec, MIXED, tmp_path, report=saved.append, should_stop=stop)
    state = latest_state([saved[0].folder.parent])
    assert state is not None
    kept = json.loads((state / "trainer_state.json").read_text())["stateful_callbacks"]
    assert kept["AggregatorState"]["attributes"]
    grown = context.candidates.mean + np.full((1, 3), 1e6)  # the front may have moved meanwhile
    rest = train(looked, spec, MIXED, tmp_path, resume_from=state, front=grown)
    assert same(undisturbed, rest)
    assert rest.checkpoints[-1].metrics[metric] == undisturbed.checkpoints[-1].metrics[metric]
    assert undisturbed.checkpoints[-1].metrics[metric] not in (0.5, 1.0)


def test_looks_do_not_change_the_run_and_come_when_due(context, tmp_path):
    looks = []

    def validate(model: Any) -> np.ndarray:
        import torch

        looks.append(model.training)
        torch.rand(7)
        return context.candidates.mean + np.arctanh(1 / 3) ** (1 / 3)  # the factor stays 1

    knobs = {"type": "hv_dynamic", "measure": "sweep", "every": 1}
    spec = spec_of("grpo", batch_size=4, aggregation=knobs)
    run = train(replace(context, validate=validate), spec, MIXED, tmp_path)
    assert len(looks) == spec.looks == 1
    assert run.checkpoints[-1].metrics["hypervolume_factor"] == pytest.approx(1.0)
    plain = spec_of("grpo", batch_size=4, aggregation="linear")
    assert close(run, train(context, plain, MIXED, tmp_path))


@pytest.mark.parametrize("tag", SPECS)
def test_rewards_are_told_the_tokens_of_the_answers_and_score_their_text(
    tag, context, tmp_path, monkeypatch
):
    from paretoflow.lm.base import decode
    from paretoflow.methods.online.trainer import _RewardColumns

    seen: list[tuple[Any, Any]] = []
    scored: list[str] = []
    own = _RewardColumns._standardised

    def standardised(self: Any, answers: Any, rows: Any) -> Any:
        seen.append((answers, rows))
        return own(self, answers, rows)

    def rewards(prompts: Any, texts: Any) -> Any:
        scored.extend(texts)
        return context.rewards(prompts, texts)

    monkeypatch.setattr(_RewardColumns, "_standardised", standardised)
    train(replace(context, rewards=rewards), spec_of(tag, steps=1), MIXED, tmp_path)
    pairs = [pair for answers, rows in seen for pair in zip(rows, answers, strict=True)]
    known = context.candidates.prompt_ids
    assert scored == [decode(context.lm, known[row], ids) for row, ids in pairs]
    assert len(scored) == SHARED["batch_size"]


def test_rloo_is_pulled_to_the_base_and_not_to_its_parent(context, tmp_path):
    spec = spec_of("rloo", steps=1)
    first = train(context, spec, MIXED, tmp_path).checkpoints[-1]
    assert first.metrics["kl"] == pytest.approx(0.0, abs=1e-5)
    second = train(context, spec, MIXED, tmp_path, parent=first.folder).checkpoints[-1]
    assert abs(second.metrics["kl"]) > 1e-4


def same(one: Trained, other: Trained) -> bool:
    a, b = one.adapter, other.adapter
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def close(one: Trained, other: Trained) -> bool:
    a, b = one.adapter, other.adapter
    return a.keys() == b.keys() and all(np.allclose(a[k], b[k], atol=1e-5) for k in a)


def test_the_barrier_is_in_the_objective_of_each_minibatch(context, tmp_path, monkeypatch):
    """Thresholds far below change little; the weights still move with what each batch scored."""
    from paretoflow.methods.online.trainer import OnlineTrainer

    seen, batches, own = [], [], OnlineTrainer._batch

    def batch(self: Any, *given: Any) -> Any:
        found = own(self, *given)
        table = self._context.candidates
        level = found.rewards - table.standardised[found.prompts].mean(axis=1)[:, None]
        batches.append(level.mean(axis=(0, 1)) * table.unit)
        seen.append(found.weights)
        return found

    monkeypatch.setattr(OnlineTrainer, "_batch", batch)
    dual = {"form": "barrier", "sharpness": 20, "every": 9}
    spec = spec_of("grpo", steps=3, batch_size=4, dual=dual)
    start = WeightVector((0.5, 0.5, 0.0))
    asked = Proposal(
        LaunchKind.CONSTRAINED, start, 0, "", "", target=0, thresholds=(0.0, -5.0, -np.inf)
    )
    train(context, spec, asked, tmp_path)
    level = batches[0]
    for weights, batch_level in zip(seen, batches, strict=True):
        level = 0.8 * level + 0.2 * batch_level
        room = max(5.0 + float((level - batches[0])[1]), 1 / 200)
        multiplier = 1 / (20 * room)
        np.testing.assert_allclose(weights[1], (0.5 + multiplier) / (1 + multiplier), rtol=1e-5)
    assert len(seen) == 3
