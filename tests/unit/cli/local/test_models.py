from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from paretoflow.cli.local.models import base_findings, base_folder, reward_findings
from paretoflow.embedded import TINY_BASE_DIR
from paretoflow.spec.models import EmbeddedModelSpec, GenerationSpec, PretrainedModelSpec
from paretoflow.spec.objectives import RewardModelObjectiveSpec
from paretoflow.spec.positions import Fault


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TINY_BASE_DIR, tmp_path / "base"))


def configured(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def faults(folder: Path, **generation: Any) -> list[tuple[str, str]]:
    """Return code and text of each fault."""
    spec = PretrainedModelSpec(
        type="pretrained", path=str(folder), generation=GenerationSpec(**generation)
    )
    found = [f for f in base_findings(spec) if isinstance(f, Fault)]
    return [(f.code, f"{f.what} | {f.hint}") for f in found]


def test_a_whole_base_has_no_fault(folder: Path) -> None:
    assert faults(folder) == []
    assert list(base_findings(EmbeddedModelSpec())) == []
    base = base_folder(EmbeddedModelSpec())
    assert base is not None
    assert base.has_template
    assert base.window


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"is_encoder_decoder": True, "model_type": "t5"}, "t5"),
        ({"architectures": ["BertForMaskedLM"]}, "BertForMaskedLM"),
        ({"architectures": ["LlamaForSequenceClassification"]}, "LlamaForSequenceClassification"),
        ({"architectures": ["XForTokenClassification"]}, "XForTokenClassification"),
    ],
)
def test_another_kind_of_model_is_told(folder: Path, changes: dict[str, Any], named: str) -> None:
    configured(folder, **changes)
    ((code, told),) = faults(folder)
    assert code == "model-unsupported"
    assert named in told


def test_a_pickle_of_weights_is_told(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    ((code, told),) = faults(folder)
    assert code == "model-incomplete"
    assert "save_pretrained" in told
    (folder / "pytorch_model.bin").unlink()
    ((code, told),) = faults(folder)
    assert code == "model-incomplete"
    assert ".safetensors" in told


@pytest.mark.parametrize("config", [True, False])
def test_a_gguf_file_is_told_with_its_conversion(folder: Path, config: bool) -> None:
    (folder / "model.safetensors").rename(folder / "model.gguf")
    if not config:
        (folder / "config.json").unlink()
    for path in (folder, folder / "model.gguf"):
        ((code, told),) = faults(path)
        assert code == "model-incomplete"
        assert "gguf_file='model.gguf'" in told


@pytest.mark.parametrize("cut", [-1, 100, 8, 3, 0])
def test_weights_that_are_cut_short_are_told(folder: Path, cut: int) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:cut])
    ((code, told),) = faults(folder)
    assert code == "model-unreadable"
    assert "model.safetensors" in told


def test_a_base_without_a_tokenizer_is_told(folder: Path) -> None:
    for file in folder.glob("*token*"):
        file.unlink()
    ((code, told),) = faults(folder)
    assert code == "model-tokenizer"
    assert "tokenizer.json" in told


@pytest.mark.parametrize("config", ["", "[]", "{", "null"])
def test_a_config_that_is_none_is_told(folder: Path, config: str) -> None:
    (folder / "config.json").write_text(config)
    ((code, told),) = faults(folder)
    assert code == "model-incomplete"
    assert "config.json" in told


def test_answers_longer_than_the_window_are_told(folder: Path) -> None:
    configured(folder, max_position_embeddings=64)
    assert faults(folder, max_new_tokens=63) == []
    ((code, told),) = faults(folder, max_new_tokens=64)
    assert code == "spec-not-allowed"
    assert re.findall(r"\d+", told) == ["64", "64"]
    configured(folder, text_config={"max_position_embeddings": 200})
    assert faults(folder, max_new_tokens=64) == []


def test_a_hub_id_is_said_to_be_elsewhere() -> None:
    (note,) = base_findings(PretrainedModelSpec(type="pretrained", path="owner/name"))
    assert not isinstance(note, Fault)
    assert "owner/name" in note


def test_a_template_may_be_written_in_three_places(folder: Path) -> None:
    spec = PretrainedModelSpec(type="pretrained", path=str(folder))

    def has_template() -> bool:
        base = base_folder(spec)
        return base is not None and base.has_template

    assert has_template()
    (folder / "chat_template.jinja").unlink()
    assert not has_template()
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "chat_template": "x"}))
    assert has_template()


REWARD = {"architectures": ["LlamaForSequenceClassification"], "id2label": {"0": "a", "1": "b"}}


def reward_faults(folder: Path, **fields: Any) -> list[tuple[str, str]]:
    """Return code and text of each fault."""
    plain = {"name": "r", "type": "reward_model", "path": str(folder), **fields}
    spec = RewardModelObjectiveSpec.model_validate(plain)
    found = [f for f in reward_findings(("objectives", 0), spec) if isinstance(f, Fault)]
    return [(f.code, f.what) for f in found]


def test_a_reward_model_is_a_classifier_with_that_output(folder: Path) -> None:
    assert reward_faults(folder)[0][0] == "model-unsupported"
    configured(folder, **REWARD)
    assert reward_faults(folder, output=1) == []
    ((code, told),) = reward_faults(folder, output=2)
    assert code == "spec-not-allowed"
    assert "output 2; allowed: 0 to 1" in told
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert reward_faults(folder)[0][0] == "model-incomplete"


@pytest.mark.parametrize(
    ("name", "content", "values"),
    [
        ("adapter_config.json", b"{}", ("adapter",)),
        (
            "model-00002-of-00003.safetensors",
            b"x",
            ("model-00002-of-00003.safetensors", "model.safetensors.index.json"),
        ),
        ("model.safetensors.index.json", b"[]", ("model.safetensors.index.json",)),
        (
            "model.safetensors.index.json",
            b'{"weight_map": {"a": "model-00001-of-00002.safetensors"}}',
            ("model-00001-of-00002.safetensors",),
        ),
        ("model.safetensors", b"version https://git-lfs.github.com/spec/v1", ("pointer",)),
    ],
)
def test_a_folder_that_is_no_one_model_is_told(
    folder: Path, name: str, content: bytes, values: tuple[str, ...]
) -> None:
    (folder / name).write_bytes(content)
    ((code, told),) = faults(folder)
    assert code == "model-incomplete"
    assert [value for value in values if value not in told] == []
