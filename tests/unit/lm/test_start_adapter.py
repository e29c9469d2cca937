"""`model.adapter`: merged into the base, told by its digest, and refused where it does not fit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.faults import raises

pytestmark = pytest.mark.train
TEXT = "Question: What is dict?\nAnswer:"


@pytest.fixture
def lm(tiny_base_dir: Path) -> Any:
    """Return a base of this test's own: a merge changes it."""
    from paretoflow.lm.base import load_folder

    return load_folder(tiny_base_dir, name="tiny")


@pytest.fixture
def sft(tiny_base_dir: Path, tmp_path: Path) -> Path:
    """Return a folder of an adapter that changes the base."""
    return trained_adapter(tiny_base_dir, tmp_path / "sft")


def trained_adapter(base: Path, folder: Path, **knobs: Any) -> Path:
    """Write an adapter with random factors, as PEFT alone writes it, on a base."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    plain = {"r": 3, "lora_alpha": 12, "target_modules": ["q_proj", "down_proj"]}
    config = LoraConfig(task_type="CAUSAL_LM", **{**plain, **knobs})
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
        for name, value in model.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(value, std=0.2)
    model.save_pretrained(str(folder), save_embedding_layers=False)
    return folder


def logits(lm: Any, model: Any) -> Any:
    import torch

    with torch.no_grad():
        return model(lm.tokenizer(TEXT, return_tensors="pt")["input_ids"]).logits


def test_the_merged_base_answers_as_the_base_with_the_adapter_and_carries_none(
    lm: Any, sft: Path
) -> None:
    import torch

    from paretoflow.lm.adapters import adapter_on, fresh_adapter, unload
    from paretoflow.lm.start_adapter import started
    from paretoflow.spec.models import LoraSpec

    bare = logits(lm, lm.model)
    with adapter_on(lm, sft) as model:
        wanted = logits(lm, model)
    assert not torch.allclose(wanted, bare, atol=1e-2)
    plain = lm.digest
    merged = started(lm, sft)
    assert torch.allclose(logits(merged, merged.model), wanted, atol=1e-4)
    assert merged.digest != plain
    assert merged.name == "tiny+start_adapter"
    assert set(merged.files) - set(lm.files) == {
        "start_adapter/adapter_config.json", "start_adapter/adapter_model.safetensors"
    }  # fmt: skip
    assert not any(p.requires_grad for p in merged.model.parameters())
    run = fresh_adapter(merged, LoraSpec(rank=2), seed=0)
    assert torch.equal(logits(merged, run), logits(merged, merged.model))
    unload(run)


def test_the_merge_in_half_precision_is_that_of_an_exports_lines(
    tiny_base_dir: Path, sft: Path
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from paretoflow.exporters.base_model import merge_lines
    from paretoflow.lm.base import load_base
    from paretoflow.lm.start_adapter import started
    from paretoflow.spec.models import PretrainedModelSpec

    spec = PretrainedModelSpec(type="pretrained", path=str(tiny_base_dir), device="cpu")
    merged = started(load_base(spec), sft).model.state_dict()
    base = AutoModelForCausalLM.from_pretrained(tiny_base_dir, dtype=torch.bfloat16)
    known = {"base": base, "PeftModel": PeftModel}
    exec("\n".join(merge_lines(repr(str(sft)))), known)
    again = known["base"].state_dict()
    assert merged.keys() == again.keys()
    assert all(torch.equal(merged[name], again[name]) for name in merged)


def test_dora_and_whole_modules_are_merged_as_they_answer(
    lm: Any, tiny_base_dir: Path, tmp_path: Path
) -> None:
    import torch

    from paretoflow.lm.adapters import adapter_on
    from paretoflow.lm.start_adapter import started

    folder = trained_adapter(
        tiny_base_dir, tmp_path / "dora", use_dora=True, modules_to_save=["norm"]
    )
    with adapter_on(lm, folder) as model:
        wanted = logits(lm, model)
    merged = started(lm, folder)
    assert torch.allclose(logits(merged, merged.model), wanted, atol=1e-4)


def test_copies_have_one_digest_and_other_weights_or_scales_another(
    sft: Path, tiny_base_dir: Path, tmp_path: Path
) -> None:
    from paretoflow.lm.start_files import copy_start, start_digest

    copy_start(sft, tmp_path / "copy", "elsewhere/base")
    assert start_digest(tmp_path / "copy") == start_digest(sft)
    other = trained_adapter(tiny_base_dir, tmp_path / "other", lora_alpha=6)
    assert start_digest(other) != start_digest(sft)
    shutil.copy(other / "adapter_config.json", sft)
    assert start_digest(other) == start_digest(sft), "the weights are the same"


@pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings:UserWarning")
def test_an_adapter_on_the_tied_output_is_refused_and_the_base_stays(
    lm: Any, tiny_base_dir: Path, tmp_path: Path
) -> None:
    import torch

    from paretoflow.lm.start_adapter import started

    bare = logits(lm, lm.model)
    folder = trained_adapter(tiny_base_dir, tmp_path / "head", target_modules=["lm_head"])
    with raises("model-adapter", str(folder)):
        started(lm, folder)
    assert torch.equal(logits(lm, lm.model), bare)
