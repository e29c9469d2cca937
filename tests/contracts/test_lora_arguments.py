"""Forms of adapters: PEFT's arguments, and a run, a merge and an export of each form."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoflow.methods.training.context import MethodContext
from paretoflow.spec.lora_arguments import PASSED_ON, REFUSED
from paretoflow.spec.models import LoraSpec
from tests.contracts.test_methods import SPECS
from tests.faults import raises
from tests.method_bench import Trained, train, weighted

pytestmark = pytest.mark.train

MIXED = weighted(0.5, 0.3, 0.2)
PLAIN: dict[str, Any] = {"rank": 4, "alpha": 8}
FORMS: dict[str, dict[str, Any]] = {
    "dora": {"dora": True},
    "rslora": {"rslora": True},
    "modules_to_save": {"modules_to_save": ["model.norm"]},
    "alpha_pattern": {"peft": {"alpha_pattern": {"q_proj": 32.0}}},
    "exclude_modules": {"peft": {"exclude_modules": ["q_proj"]}},
    "layers": {"targets": ["q_proj", "v_proj"], "peft": {"layers_to_transform": [0]}},
    "gaussian": {"peft": {"init_lora_weights": "gaussian"}},
    "orthogonal": {"peft": {"init_lora_weights": "orthogonal"}},
}
FACTORS = sorted(set(FORMS) - {"dora", "modules_to_save"})
"""Forms that are products of two factors, which merges and vLLM take."""


def with_lora(context: MethodContext, form: str) -> MethodContext:
    return dataclasses.replace(context, lora=LoraSpec(**{**PLAIN, **FORMS[form]}))


def trained(context: MethodContext, form: str, folder: Path, tag: str = "dpo") -> Trained:
    return train(with_lora(context, form), SPECS[tag], MIXED, folder)


def logits(context: MethodContext, adapter: Path) -> Any:
    import torch

    from paretoflow.lm.adapters import adapter_on

    with adapter_on(context.lm, adapter) as model, torch.no_grad():
        return model(input_ids=torch.arange(3, 23).reshape(2, 10)).logits


def test_every_argument_of_peft_is_passed_on_or_refused():
    from peft import LoraConfig

    fields = {field.name for field in dataclasses.fields(LoraConfig)}
    assert not PASSED_ON.keys() & REFUSED.keys()
    assert PASSED_ON.keys() | REFUSED.keys() == fields
    covered = {name for form in FORMS.values() for name in form.get("peft", {})}
    assert covered | {"layers_pattern"} == PASSED_ON.keys()


def test_the_page_names_every_argument_that_is_passed_on():
    page = (Path(__file__).parents[2] / "docs" / "methods.md").read_text(encoding="utf-8")
    assert not [name for name in PASSED_ON if name not in page]


QUICK = ("dora", "rslora", "modules_to_save", "alpha_pattern")
"""The other forms are for `make test-full`: PEFT alone treats them apart."""
CASES = [f if f in QUICK else pytest.param(f, marks=pytest.mark.full) for f in FORMS]


@pytest.mark.parametrize("form", CASES)
def test_a_form_trains_otherwise_and_its_checkpoint_answers_as_the_run_did(form, context, tmp_path):
    import torch

    before = {n: v.clone() for n, v in context.lm.model.state_dict().items()}
    plain = train(context, SPECS["dpo"], MIXED, tmp_path)
    seen = []

    def look(checkpoint: Any) -> None:
        model = checkpoint.model
        model.eval()
        with torch.no_grad():
            seen.append(model(input_ids=torch.arange(3, 23).reshape(2, 10)).logits)
        model.train()

    ours = train(with_lora(context, form), SPECS["dpo"], MIXED, tmp_path, report=look)
    told = json.loads((ours.checkpoints[-1].folder / "adapter_config.json").read_text())
    assert told["use_dora"] is (form == "dora")
    theirs = logits(context, ours.checkpoints[-1].folder)
    assert torch.allclose(theirs, seen[-1], atol=1e-6)
    assert not torch.allclose(theirs, logits(context, plain.checkpoints[-1].folder), atol=1e-5)
    after = context.lm.model.state_dict()
    assert before.keys() == after.keys()  # the base is bare again
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("tag", ["grpo", pytest.param("ric", marks=pytest.mark.full)])
@pytest.mark.parametrize("names", [["embed_tokens"], ["lm_head", "model.norm"]])
def test_whole_modules_are_trained_by_every_kind_of_trainer(names, tag, context, tmp_path):
    wide = dataclasses.replace(context, lora=LoraSpec(**PLAIN, modules_to_save=names))
    adapter = train(wide, SPECS[tag], MIXED, tmp_path).adapter
    base = {n: v.numpy() for n, v in context.lm.model.state_dict().items()}
    for name in names:
        key = next(k for k in adapter if k.endswith(f"{name}.weight"))
        assert np.abs(adapter[key] - base[key.removeprefix("base_model.model.")]).max() > 1e-4


@pytest.mark.parametrize("form", ["dora", "modules_to_save"])
def test_a_run_starts_from_an_adapter_of_its_form(form, context, tmp_path):
    first = trained(context, form, tmp_path)
    wide = with_lora(context, form)
    second = train(wide, SPECS["dpo"], MIXED, tmp_path, parent=first.checkpoints[-1].folder)
    assert second.adapter.keys() == first.adapter.keys()
    assert any(np.abs(second.adapter[k] - first.adapter[k]).max() > 1e-4 for k in first.adapter)


@pytest.mark.parametrize("form", CASES)
def test_a_form_is_merged_exactly_or_refused(form, context, tmp_path):
    import torch

    from paretoflow.lm.lora_files import read_lora, write_lora
    from paretoflow.lm.merging import concatenated

    folder = trained(context, form, tmp_path).checkpoints[-1].folder
    if form not in FACTORS:
        with raises("model-merge"):
            read_lora(folder)
        return
    halves = concatenated([read_lora(folder)] * 2, np.array([0.25, 0.75]))
    write_lora(halves, tmp_path / "merged")
    merged = logits(context, tmp_path / "merged")
    assert torch.allclose(merged, logits(context, folder), atol=1e-5)


@pytest.mark.parametrize("form", CASES)
def test_a_form_is_folded_for_vllm_exactly_or_refused(form, context, tmp_path):
    import torch

    from paretoflow.lm.folded import fold

    folder = trained(context, form, tmp_path).checkpoints[-1].folder
    before = logits(context, folder)
    if form not in FACTORS:
        with raises("model-export", "vLLM"):
            fold(folder)
        return
    assert fold(folder) == 4
    told = json.loads((folder / "adapter_config.json").read_text())
    assert not told["use_rslora"]
    assert not told["alpha_pattern"]
    assert torch.allclose(logits(context, folder), before, atol=1e-5)


@pytest.mark.parametrize(
    ("lora", "said"),
    [
        ({"modules_to_save": ["nrom"]}, "nrom"),
        ({"targets": ["q_proj", "lm_head"]}, "output layer"),
        ({"peft": {"exclude_modules": ["q_prj"]}}, "q_prj"),
        ({"peft": {"alpha_pattern": {"q_prj": 4.0}}}, "q_prj"),
        ({"targets": ["q_proj"], "peft": {"layers_to_transform": [40]}}, ""),
    ],
)
def test_what_the_base_does_not_have_is_refused_before_anything_is_sampled(lora, said, context):
    from paretoflow.lm.adapters import require_adaptable

    names = [name for name, _ in context.lm.model.named_modules()]
    with raises("model-targets", said):
        require_adaptable(context.lm, LoraSpec(**{**PLAIN, **lora}))
    assert names == [name for name, _ in context.lm.model.named_modules()]
