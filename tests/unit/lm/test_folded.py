"""What vLLM would apply, read from the export as vLLM reads it, against what PEFT applies."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from paretoflow.core.ids import digest_of_folder
from paretoflow.lm.folded import fold
from tests.faults import raises

pytestmark = pytest.mark.train

TARGETS = ["q_proj", "v_proj", "down_proj"]


class Small(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(6, 8)
        for name in TARGETS:
            setattr(self, name, torch.nn.Linear(8, 8))

    def forward(self, x: Any) -> Any:
        return self.down_proj(self.v_proj(self.q_proj(x)))


def saved(folder: Path, **options: Any) -> tuple[Path, PeftModel]:
    """Save an adapter whose every factor is random, as a trained one's are."""
    config = LoraConfig(**{"r": 4, "lora_alpha": 10, "target_modules": TARGETS, **options})
    torch.manual_seed(0)
    model = get_peft_model(Small(), config)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter)
    model.save_pretrained(str(folder))
    return folder, model


def applied(model: PeftModel) -> dict[str, torch.Tensor]:
    layers = model.base_model.model
    return {name: getattr(layers, name).get_delta_weight("default") for name in TARGETS}


def served(folder: Path) -> dict[str, torch.Tensor]:
    """Return the deltas as vLLM makes them: of `r`, `lora_alpha` and the two factors alone."""
    config = json.loads((folder / "adapter_config.json").read_text())
    tensors = load_file(folder / "adapter_model.safetensors")
    scale = config["lora_alpha"] / config["r"]
    found = {}
    for name in TARGETS:
        key = f"base_model.model.{name}"
        down, up = tensors[f"{key}.lora_A.weight"], tensors[f"{key}.lora_B.weight"]
        assert down.shape[0] <= config["r"]
        found[name] = scale * up.float() @ down.float()
    return found


@pytest.mark.parametrize(
    "options",
    [
        {"rank_pattern": {"q_proj": 1}},
        {"rank_pattern": {"q_proj": 8, "v_proj": 3}},
        {"alpha_pattern": {"down_proj": 3.5}},
        {"alpha_pattern": {"^v_proj": 1}, "rank_pattern": {".*_proj": 2}},
        {"use_rslora": True},
        {"use_rslora": True, "rank_pattern": {"v_proj": 16}, "alpha_pattern": {"q_proj": 7}},
    ],
    ids=json.dumps,
)
def test_what_vllm_serves_is_what_peft_applies(tmp_path: Path, options: dict[str, Any]) -> None:
    folder, model = saved(tmp_path / "a", **options)
    true = applied(model)
    rank = fold(folder)
    config = json.loads((folder / "adapter_config.json").read_text())
    assert (config["r"], config["rank_pattern"], config["use_rslora"]) == (rank, {}, False)
    for name, delta in served(folder).items():
        torch.testing.assert_close(delta, true[name], rtol=1e-6, atol=1e-6)
    again = PeftModel.from_pretrained(Small(), str(folder))
    for name, delta in applied(again).items():
        torch.testing.assert_close(delta, true[name], rtol=1e-6, atol=1e-6)


def test_a_plain_adapter_is_left_as_it_is(tmp_path: Path) -> None:
    folder, model = saved(tmp_path / "a", lora_alpha=9.5)
    before, true = digest_of_folder(folder), applied(model)
    assert fold(folder) == 4
    assert digest_of_folder(folder) == before
    for name, delta in served(folder).items():
        torch.testing.assert_close(delta, true[name])


def test_half_precision_keeps_its_digits(tmp_path: Path) -> None:
    folder, _ = saved(tmp_path / "a", alpha_pattern={"q_proj": 3})
    path = folder / "adapter_model.safetensors"
    half = {k: v.bfloat16() for k, v in load_file(path).items()}
    save_file(half, path)
    key = "base_model.model.q_proj"
    up, down = (half[f"{key}.lora_{half_of}.weight"].float() for half_of in "BA")
    true = 3 / 4 * up @ down
    fold(folder)
    torch.testing.assert_close(served(folder)["q_proj"], true, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"bias": "all"}, "biases"),
        ({"bias": "lora_only"}, "biases"),
        ({"modules_to_save": ["embed"]}, "whole modules"),
        ({"target_modules": [*TARGETS, "embed"]}, "embed.lora_embedding_A"),
        ({"trainable_token_indices": {"embed": [1]}}, "token embeddings"),
    ],
    ids=lambda value: value if isinstance(value, str) else json.dumps(value),
)
def test_what_vllm_would_serve_otherwise_is_refused_by_name(
    tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    folder, _ = saved(tmp_path / "mine", **options)
    with raises("model-export", "mine") as refused:
        fold(folder)
    assert said in refused.value.what
    assert "--format folder" in refused.value.hint


@pytest.mark.parametrize(
    "change",
    [
        {"peft_type": "IA3"},
        {"r": None},
        {"r": 0},
        {"lora_bias": True},
        {"fan_in_fan_out": True},
        {"init_lora_weights": "pissa"},
        {"target_parameters": ["experts.w1"]},
    ],
    ids=json.dumps,
)
def test_a_configuration_beyond_plain_factors_is_refused(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    folder, _ = saved(tmp_path / "mine")
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with raises("model-export", "mine"):
        fold(folder)


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_a_broken_configuration_is_named(tmp_path: Path, text: str) -> None:
    folder, _ = saved(tmp_path / "mine")
    (folder / "adapter_config.json").write_bytes(text.encode("latin-1"))
    with raises("model-unreadable", "adapter_config.json"):
        fold(folder)


def test_by_hand(tmp_path: Path) -> None:
    """Rank 2, alpha 3, rslora: the scale is 3 / sqrt(2), and lies in the second factor."""
    folder, _ = saved(tmp_path / "a", r=2, lora_alpha=3, use_rslora=True)
    key = "base_model.model.q_proj.lora_B.weight"
    before = load_file(folder / "adapter_model.safetensors")[key].clone()  # it is read lazily
    fold(folder)
    after = load_file(folder / "adapter_model.safetensors")[key]
    torch.testing.assert_close(after, before * (3 / math.sqrt(2)))
