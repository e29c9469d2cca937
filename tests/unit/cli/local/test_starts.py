"""`check` refuses an adapter that does not fit the base by the headers of files alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from paretoflow.cli.local.starts import start_findings
from paretoflow.spec.models import PretrainedModelSpec
from paretoflow.spec.positions import Fault

BASE = {"model.layers.0.mlp.up_proj.weight": (6, 4), "lm_head.weight": (9, 4)}


def save(file: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.zeros(shape, dtype=np.float32) for name, shape in shapes.items()}, file)


def factors(layer: str, out: int, rank: int, low: int) -> dict[str, tuple[int, ...]]:
    at = f"base_model.model.{layer}"
    return {f"{at}.lora_A.weight": (rank, low), f"{at}.lora_B.weight": (out, rank)}


@pytest.fixture
def model(tmp_path: Path) -> PretrainedModelSpec:
    save(tmp_path / "base/model.safetensors", BASE)
    (tmp_path / "base/config.json").write_text('{"model_type": "llama"}')
    return PretrainedModelSpec(
        type="pretrained", path=str(tmp_path / "base"), adapter=str(tmp_path / "sft")
    )


def adapter(model: PretrainedModelSpec, shapes: dict[str, Any], **config: Any) -> None:
    folder = Path(str(model.adapter))
    save(folder / "adapter_model.safetensors", shapes)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", **config}))


def found(model: PretrainedModelSpec) -> list[Fault | str]:
    return list(start_findings(model))


UP = "model.layers.0.mlp.up_proj"


def test_one_that_fits_is_taken(model: PretrainedModelSpec) -> None:
    adapter(model, factors(UP, 6, 2, 4))
    assert found(model) == []
    assert found(model.model_copy(update={"adapter": None})) == []


@pytest.mark.parametrize(
    ("shapes", "config", "told"),
    [
        (factors(UP, 6, 2, 5), {}, ["up_proj", "[2, 5]", "[6, 4]"]),
        (factors(UP, 7, 2, 4), {}, ["up_proj", "[7, 2]"]),
        (factors("model.layers.1.mlp.up_proj", 6, 2, 4), {}, ["layers.1"]),
        (factors("lm_head", 9, 2, 4), {"tied": True}, ["lm_head", "embeddings"]),
        ({"base_model.model.x.prompt": (2, 4)}, {}, ["no LoRA factors"]),
        (factors(UP, 6, 2, 4), {"peft_type": "IA3"}, ["IA3"]),
    ],
)
def test_one_that_does_not_is_refused_by_layer_and_shape(
    shapes: dict[str, Any], config: dict[str, Any], told: list[str], model: PretrainedModelSpec
) -> None:
    if config.pop("tied", False):
        text = '{"model_type": "llama", "tie_word_embeddings": true}'
        Path(model.path, "config.json").write_text(text)
    adapter(model, shapes, **config)
    (fault,) = found(model)
    assert isinstance(fault, Fault)
    assert (fault.path, fault.code) == (("model", "adapter"), "model-adapter")
    assert all(part in fault.what for part in told), fault.what


def test_another_base_on_the_hub_is_refused_by_its_name(model: PretrainedModelSpec) -> None:
    adapter(model, factors(UP, 6, 2, 4), base_model_name_or_path="org/other")
    on_hub = model.model_copy(update={"path": "org/base"})
    fault, note = found(on_hub)
    assert isinstance(fault, Fault)
    assert "org/other" in fault.what
    assert isinstance(note, str)
    (note,) = found(model)
    assert isinstance(note, str), "a folder may hold that model"
    assert "other" in note


def test_damage_is_named(model: PretrainedModelSpec) -> None:
    adapter(model, factors(UP, 6, 2, 4))
    weights = Path(str(model.adapter), "adapter_model.safetensors")
    weights.write_bytes(weights.read_bytes()[:20])
    (fault,) = found(model)
    assert isinstance(fault, Fault)
    assert fault.code == "model-unreadable"
    weights.with_name("adapter_config.json").write_text("[]")
    (fault,) = found(model)
    assert isinstance(fault, Fault)
    assert fault.code == "model-adapter"


def test_it_needs_no_torch() -> None:
    code = (
        "import sys, paretoflow.cli.local.starts; assert not {'torch', 'peft'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
