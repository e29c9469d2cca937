from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from paretoflow.core.ids import digest_of_folder
from paretoflow.lm.adapters import adapter_on, fresh_adapter, load_adapter, save_adapter, unload
from paretoflow.lm.base import LanguageModel
from paretoflow.spec.models import LoraSpec
from tests.faults import raises

pytestmark = pytest.mark.train
LORA = LoraSpec(rank=4, alpha=8.0)


@pytest.fixture
def lm(tiny_lm: LanguageModel) -> Iterator[LanguageModel]:
    """Hand out the shared base and check that the test gives it back as it was."""
    before = _weights(tiny_lm)
    modules = [name for name, _ in tiny_lm.model.named_modules()]
    yield tiny_lm
    after = _weights(tiny_lm)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert modules == [name for name, _ in tiny_lm.model.named_modules()]
    assert not any(p.requires_grad or p.grad is not None for p in tiny_lm.model.parameters())
    assert not tiny_lm.model.training


def _weights(lm: LanguageModel) -> dict[str, Any]:
    return {name: value.clone() for name, value in lm.model.state_dict().items()}


def _ids() -> Any:
    return torch.arange(3, 23).reshape(2, 10)


def _logits(model: Any) -> Any:
    with torch.no_grad():
        return model(input_ids=_ids()).logits


def _train(model: Any, steps: int = 2) -> None:
    model.train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        model(input_ids=_ids(), labels=_ids()).loss.backward()
        optimizer.step()
    model.eval()


def test_a_fresh_adapter_changes_nothing_and_training_only_itself(lm: LanguageModel) -> None:
    base = _logits(lm.model)
    model = fresh_adapter(lm, LORA, seed=1)
    assert torch.equal(_logits(model), base)
    _train(model)
    assert not torch.allclose(_logits(model), base, atol=1e-3)
    assert unload(model) is lm.model
    assert torch.equal(_logits(lm.model), base)


def test_the_seed_decides_the_adapter_and_the_callers_draws_go_on(lm: LanguageModel) -> None:
    def first_half(seed: int) -> Any:
        model = fresh_adapter(lm, LORA, seed)
        found = next(p.clone() for name, p in model.named_parameters() if "lora_A" in name)
        unload(model)
        return found

    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    one = first_half(1)
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(one, first_half(1))
    assert not torch.equal(one, first_half(2))


def test_unload_undoes_hooks_and_checkpointing(lm: LanguageModel) -> None:
    model = fresh_adapter(lm, LORA, seed=0)
    model.gradient_checkpointing_enable()  # also hangs a hook on the embedding
    assert lm.model.get_input_embeddings()._forward_hooks
    _train(model, steps=1)
    unload(model)
    assert not lm.model.is_activation_checkpointing
    assert not lm.model.get_input_embeddings()._forward_hooks


def test_a_saved_adapter_comes_back_exactly(lm: LanguageModel, tmp_path: Path) -> None:
    model = fresh_adapter(lm, LORA, seed=0)
    _train(model)
    trained = _logits(model)
    save_adapter(model, tmp_path / "final")
    unload(model)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["final"]
    again = load_adapter(lm, tmp_path / "final", trainable=True)
    assert torch.equal(_logits(again.eval()), trained)
    assert any(p.requires_grad for p in again.parameters())
    _train(again)  # a warm start trains on
    assert not torch.equal(_logits(again), trained)
    unload(again)
    with adapter_on(lm, tmp_path / "final") as model:
        assert torch.equal(_logits(model), trained)
        assert not any(p.requires_grad for p in model.parameters())
    with adapter_on(lm, None) as model:
        assert model is lm.model


def test_an_adapter_comes_and_goes_without_a_warning(lm: LanguageModel, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = fresh_adapter(lm, LoraSpec(rank=2), seed=1)
        save_adapter(model, tmp_path / "a")
        unload(model)
        for _ in range(2):
            with adapter_on(lm, tmp_path / "a"):
                pass


def test_a_saved_folder_is_plain_peft_without_paths_or_pickles(
    lm: LanguageModel, tmp_path: Path
) -> None:
    model = fresh_adapter(lm, LORA, seed=0)
    save_adapter(model, tmp_path / "a")
    digest = digest_of_folder(tmp_path / "a")
    _train(model)
    save_adapter(model, tmp_path / "a")  # replaces
    unload(model)
    assert digest_of_folder(tmp_path / "a") != digest
    names = {"adapter_config.json", "adapter_model.safetensors", "base.json"}
    assert {p.name for p in (tmp_path / "a").iterdir()} == names
    config = json.loads((tmp_path / "a" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny"
    assert json.loads((tmp_path / "a" / "base.json").read_text())["digest"] == lm.digest


def test_a_block_that_fails_still_gives_the_base_back(lm: LanguageModel, tmp_path: Path) -> None:
    model = fresh_adapter(lm, LORA, seed=0)
    save_adapter(model, tmp_path / "a")
    unload(model)
    with pytest.raises(KeyError), adapter_on(lm, tmp_path / "a"):
        raise KeyError


def test_an_adapter_of_another_base_is_refused(lm: LanguageModel, tmp_path: Path) -> None:
    model = fresh_adapter(lm, LORA, seed=0)
    save_adapter(model, tmp_path / "a")
    unload(model)
    base = {"name": "another", "digest": "0" * 64}
    (tmp_path / "a" / "base.json").write_text(json.dumps(base))
    with raises("model-adapter", "trained"):
        load_adapter(lm, tmp_path / "a", trainable=False)


@pytest.mark.parametrize(
    ("name", "content", "code", "value"),
    [
        ("adapter_model.safetensors", None, "model-incomplete", "adapter_model.safetensors"),
        ("adapter_model.safetensors", b"not a tensor", "model-adapter", ""),
        ("adapter_config.json", b"{", "model-adapter", ""),
        ("base.json", b"[]", "model-unreadable", "base.json"),
    ],
)
def test_a_broken_folder_is_refused_and_the_base_stays_bare(
    lm: LanguageModel, tmp_path: Path, name: str, content: bytes | None, code: str, value: str
) -> None:
    model = fresh_adapter(lm, LORA, seed=0)
    save_adapter(model, tmp_path / "a")
    unload(model)
    (tmp_path / "a" / name).unlink()
    if content is not None:
        (tmp_path / "a" / name).write_bytes(content)
    with raises(code, str(tmp_path / "a"), value):
        load_adapter(lm, tmp_path / "a", trainable=False)


def test_an_adapter_of_another_shape_is_refused(lm: LanguageModel, tmp_path: Path) -> None:
    model = fresh_adapter(lm, LORA, seed=0)
    save_adapter(model, tmp_path / "a")
    unload(model)
    path = tmp_path / "a" / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "r": 8}))
    with raises("model-adapter", "size mismatch"):
        load_adapter(lm, tmp_path / "a", trainable=False)


UP = "base_model.model.model.layers.1.mlp.up_proj.lora_A.weight"
TABLE = "base_model.model.model.embed_tokens.weight"


@pytest.mark.parametrize(
    ("change", "code", "value"),
    [
        (lambda t: {k: v for k, v in t.items() if k != UP}, "model-adapter", "up_proj"),
        (
            lambda t: {k: v for k, v in t.items() if "layers.1" not in k},
            "model-adapter",
            "14 of its",
        ),
        (lambda t: t | {UP.replace(".1.", ".7."): t[UP].clone()}, "model-adapter", "layers.7"),
        (lambda t: t | {TABLE: torch.zeros(382, 32)}, "model-adapter", "model.embed_tokens"),
        (
            lambda t: t | {UP: t[UP] * float("nan")},
            "model-not-finite",
            UP.rpartition(".")[0],
        ),
        (lambda t: t | {UP: t[UP] + float("-inf")}, "model-not-finite", "up_proj"),
    ],
)
def test_an_adapter_that_is_not_whole_is_refused_and_the_base_stays_bare(
    lm: LanguageModel, tmp_path: Path, change: Any, code: str, value: str
) -> None:
    model = fresh_adapter(lm, LORA, seed=0)
    save_adapter(model, tmp_path / "a")
    unload(model)
    path = tmp_path / "a" / "adapter_model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})
    with raises(code, str(tmp_path / "a"), value):
        load_adapter(lm, tmp_path / "a", trainable=False)


def test_targets_that_name_no_module_are_refused(lm: LanguageModel) -> None:
    with raises("model-targets", "no_such_layer", "adapter"):
        fresh_adapter(lm, LoraSpec(targets=("no_such_layer",)), seed=0)


def test_a_second_adapter_on_a_base_is_a_programming_error(lm: LanguageModel) -> None:
    model = fresh_adapter(lm, LORA, seed=0)
    with pytest.raises(RuntimeError, match="unload first"):
        fresh_adapter(lm, LORA, seed=1)
    unload(model)
