"""Arguments of `method.trainer`: the lists are TRL's, and every argument that is passed on acts."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoflow.core.errors import RunInterrupted
from paretoflow.methods.training.context import MethodContext
from paretoflow.spec.methods import GrpoMethodSpec, MethodSpec, RicMethodSpec
from paretoflow.spec.trainer_arguments import (
    CONFIG_OF,
    RENAMED,
    SCHEDULES,
    passed_on_by,
    refusals_of,
)
from tests.conftest import tiny_base
from tests.contracts.test_methods import SPECS
from tests.method_bench import Trained, make_context, train, weighted

pytestmark = pytest.mark.train

MIXED = weighted(0.5, 0.3, 0.2)
CHANGES: dict[str, Any] = {
    "lr_scheduler_type": "constant",
    "warmup_steps": 0.5,
    "optim": "sgd",
    "weight_decay": 0.3,
    "adam_beta1": 0.5,
    "adam_beta2": 0.5,
    "adam_epsilon": 0.1,
    "use_weighting": True,
    "entropy_coef": 0.5,
    "mask_truncated_completions": True,
    "top_entropy_quantile": 0.3,
    "use_bias_correction_kl": False,
}
"""Values with which a run ends elsewhere."""
SAME = ("activation_checkpointing", "torch_empty_cache_steps", "pad_to_multiple_of")
"""Arguments for memory and speed alone; each has a test of its own."""
SOME = {
    ("dpo", "adam_beta2"),
    ("dpo", "use_weighting"),
    ("gradient_dpo", "optim"),
    ("grpo", "mask_truncated_completions"),
    ("grpo", "top_entropy_quantile"),
    ("mah_dpo", "lr_scheduler_type"),
    ("ric", "weight_decay"),
    ("rloo", "warmup_steps"),
}
"""At least one for each trainer; `make test-full` tries all of them."""


def with_arguments(tag: str, arguments: dict[str, Any]) -> MethodSpec:
    return SPECS[tag].model_copy(update={"trainer": arguments})


def apart(one: Trained, other: Trained) -> float:
    """Return the largest difference between two adapters."""
    pairs = zip(one.adapter.values(), other.adapter.values(), strict=True)
    return max(float(np.abs(a - b).max()) for a, b in pairs)


@pytest.mark.parametrize("tag", sorted(CONFIG_OF))
def test_every_argument_of_the_config_class_is_passed_on_or_refused(tag):
    import trl

    fields = {field.name for field in dataclasses.fields(getattr(trl, CONFIG_OF[tag]))}
    passed, refused = set(passed_on_by(tag)), set(refusals_of(tag))
    assert not passed & refused
    assert passed | refused == fields
    assert set(RENAMED) | set(RENAMED.values()) <= passed
    acting = {n for n in passed if n not in RENAMED and not n.endswith("_kwargs")}
    assert acting <= {*CHANGES, *SAME, "loss_type"}


def test_the_page_names_every_argument_that_is_passed_on():
    page = (Path(__file__).parents[2] / "docs" / "methods.md").read_text(encoding="utf-8")
    names = {name for tag in CONFIG_OF for name in passed_on_by(tag)}
    names -= {"gradient_checkpointing_kwargs"}
    assert not [name for name in names if f"`{name}`" not in page]


def test_every_method_with_a_trainer_has_its_arguments():
    assert set(CONFIG_OF) == set(SPECS) - {"command"}


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        case if case in SOME else pytest.param(*case, marks=pytest.mark.full)
        for case in ((tag, name) for tag in sorted(CONFIG_OF) for name in passed_on_by(tag))
        if case[1] in CHANGES
    ],
)
def test_an_argument_changes_the_run(tag, name, context, tmp_path):
    plain = train(context, SPECS[tag], MIXED, tmp_path)
    changed = train(context, with_arguments(tag, {name: CHANGES[name]}), MIXED, tmp_path)
    assert apart(plain, changed) > 1e-5


@pytest.mark.parametrize("loss", ["dapo", "dr_grpo"])
def test_a_loss_of_grpo_counts_the_tokens_otherwise(loss, tiny_lm, tmp_path):
    context = make_context(tiny_lm)
    long = dataclasses.replace(
        context, generation=context.generation.model_copy(update={"max_new_tokens": 40})
    )
    spec = GrpoMethodSpec(type="grpo", steps=2, batch_size=8, learning_rate=5e-3, beta=0.0)
    theirs = spec.model_copy(update={"trainer": {"loss_type": loss}})
    assert apart(*(train(long, s, MIXED, tmp_path) for s in (spec, theirs))) > 1e-5


def test_a_supervised_loss_weighs_tokens_by_their_probability(context, tmp_path):
    spec = RicMethodSpec(type="ric", steps=2, batch_size=4, learning_rate=5e-3, rounds=0)
    theirs = spec.model_copy(update={"trainer": {"loss_type": "dft"}})
    assert apart(*(train(context, s, MIXED, tmp_path) for s in (spec, theirs))) > 1e-5


def counted_layers(
    context: MethodContext, spec: MethodSpec, folder: Path, layer: int = 0
) -> tuple[Trained, int]:
    """Return a run, and how often a part of a layer was evaluated in training mode."""
    calls = []
    # hooks of a layer itself stand outside what is evaluated again, which ends early
    part = context.lm.model.get_submodule(f"model.layers.{layer}.mlp")
    handle = part.register_forward_pre_hook(lambda m, *_: calls.append(1) if m.training else None)
    try:
        return train(context, spec, MIXED, folder), len(calls)
    finally:
        handle.remove()


@pytest.mark.parametrize("name", ["activation_checkpointing", "gradient_checkpointing"])
@pytest.mark.parametrize(
    "tag",
    [
        tag if tag in ("dpo", "gradient_dpo", "grpo") else pytest.param(tag, marks=pytest.mark.full)
        for tag in sorted(CONFIG_OF)
    ],
)
def test_layers_are_evaluated_again_and_the_run_stays_the_same(tag, name, context, tmp_path):
    if name in RENAMED and tag != "dpo":
        pytest.skip("one argument under two names")
    plain, once = counted_layers(context, SPECS[tag], tmp_path)
    spare, again = counted_layers(context, with_arguments(tag, {name: True}), tmp_path)
    assert again > once > 0
    assert apart(plain, spare) == pytest.approx(0, abs=1e-6)
    assert not context.lm.model.is_activation_checkpointing


def test_every_second_layer_is_evaluated_once(tmp_path):
    from paretoflow.lm.base import load_folder

    context = make_context(load_folder(tiny_base(tmp_path / "base", layers=2), name="two"))
    second = []
    for every in (1, 2):
        options = {"activation_checkpointing_kwargs": {"every_n_layers": every}}
        spec = with_arguments("dpo", {"activation_checkpointing": True, **options})
        second.append(counted_layers(context, spec, tmp_path, layer=1)[1])
    assert second[0] > second[1] > 0


def test_the_devices_cache_is_emptied_as_often_as_asked(context, tmp_path, monkeypatch):
    from transformers import trainer

    calls = []
    monkeypatch.setattr(trainer, "clear_device_cache", lambda *_, **__: calls.append(1))
    train(context, with_arguments("dpo", {"torch_empty_cache_steps": 2}), MIXED, tmp_path)
    assert len(calls) == 2  # before steps 1 and 3 of 3


def test_samples_are_padded_to_a_multiple(context, tmp_path, monkeypatch):
    from trl import GRPOTrainer

    widths = []
    own = GRPOTrainer._compute_loss

    def seen(self: Any, model: Any, inputs: dict[str, Any]) -> Any:
        widths.extend(inputs[name].shape[1] for name in ("prompt_ids", "completion_ids"))
        return own(self, model, inputs)

    monkeypatch.setattr(GRPOTrainer, "_compute_loss", seen)
    train(context, with_arguments("grpo", {"pad_to_multiple_of": 16}), MIXED, tmp_path)
    assert widths
    assert all(width % 16 == 0 for width in widths)


@pytest.mark.parametrize(
    "kind",
    [
        k if k in ("cosine_with_min_lr",) else pytest.param(k, marks=pytest.mark.full)
        for k in SCHEDULES
    ],
)
def test_a_schedule_and_an_optimiser_go_on_where_they_were(kind, context, tmp_path):
    options = {"lr_scheduler_kwargs": {"min_lr_rate": 0.1}} if "min_lr" in kind else {}
    given = {"lr_scheduler_type": kind, "optim": "adafactor", **options}
    spec = with_arguments("dpo", given).model_copy(update={"steps": 4})
    whole = train(context, spec, MIXED, tmp_path)
    asked = iter([False, True])
    with pytest.raises(RunInterrupted) as stopped:
        train(context, spec, MIXED, tmp_path, should_stop=lambda: next(asked))
    resumed = train(context, spec, MIXED, tmp_path, resume_from=stopped.value.state)
    assert apart(whole, resumed) == 0.0
