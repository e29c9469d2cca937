from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paretoflow.cli.local.shapes import cached_folder, shape_of
from paretoflow.embedded import TINY_BASE_DIR
from paretoflow.lm.adapters import fresh_adapter, unload
from paretoflow.lm.base import LanguageModel
from paretoflow.spec.models import LoraSpec, PretrainedModelSpec

CONFIG: dict[str, Any] = json.loads((TINY_BASE_DIR / "config.json").read_text())


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"targets": ("q_proj", "v_proj"), "rank": 64},
        {"targets": r".*\.mlp\..*_proj"},
        {"rank": 4, "ranks": {"q_proj": 32}},
    ],
)
def test_parameters_are_those_that_peft_counts(
    tiny_lm: LanguageModel, tiny_base_dir: Path, fields: dict[str, Any]
) -> None:
    lora = LoraSpec.model_validate(fields)
    config = json.loads((tiny_base_dir / "config.json").read_text())
    shape = shape_of(tiny_base_dir, config, lora)
    assert shape is not None
    assert shape.parameters == tiny_lm.model.num_parameters()
    model = fresh_adapter(tiny_lm, lora, seed=0)
    try:
        assert shape.trained == sum(p.numel() for p in model.parameters() if p.requires_grad)
    finally:
        unload(model)


def test_a_config_alone_tells_what_the_weights_would(tmp_path: Path) -> None:
    stored = shape_of(TINY_BASE_DIR, CONFIG, LoraSpec())
    assert stored is not None
    assert stored.gated
    norms = (2 * stored.layers + 1) * stored.hidden
    assert shape_of(tmp_path, CONFIG, LoraSpec()) == replace(
        stored, parameters=stored.parameters - norms
    )


def test_experts_count_whole_and_only_some_run(tmp_path: Path) -> None:
    dense = shape_of(tmp_path, CONFIG, LoraSpec())
    config = CONFIG | {"num_local_experts": 8, "num_experts_per_tok": 2}
    mixed = shape_of(tmp_path, config, LoraSpec())
    assert dense is not None
    assert mixed is not None
    mlp = 3 * dense.hidden * dense.inner * dense.layers
    assert mixed.parameters == dense.parameters + 7 * mlp
    assert mixed.inner == 2 * dense.inner
    # attention alone is adapted: four layers of 192 by 192
    assert mixed.trained == dense.layers * 4 * 16 * (192 + 192)


@pytest.mark.parametrize(
    "changes", [{"hidden_size": None}, {"num_hidden_layers": "4"}, {"num_hidden_layers": 10**12}]
)
def test_an_unknown_shape_is_none(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert shape_of(tmp_path, CONFIG | changes, LoraSpec()) is None


def test_a_damaged_file_of_weights_is_as_if_there_were_none(tmp_path: Path) -> None:
    bare = shape_of(tmp_path, CONFIG, LoraSpec())
    for content in (b"x", b"\x02" + bytes(7) + b"[]", b"\x0c" + bytes(7) + b'{"a": "no"}x'):
        (tmp_path / "model.safetensors").write_bytes(content)
        assert shape_of(tmp_path, CONFIG, LoraSpec()) == bare


def test_a_model_of_the_hub_is_found_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    model = PretrainedModelSpec(type="pretrained", path="owner/name")
    assert cached_folder(model) is None
    folder = tmp_path / "hub" / "models--owner--name"
    snapshot = folder / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    assert cached_folder(model) is None
    (snapshot / "config.json").write_text("{}")
    assert cached_folder(model) == snapshot
    assert cached_folder(model.model_copy(update={"revision": "abc"})) == snapshot
    assert cached_folder(model.model_copy(update={"revision": "v2"})) is None
    assert cached_folder(model.model_copy(update={"path": "./no/such/folder"})) is None
