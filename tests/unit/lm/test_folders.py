from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from paretoflow.embedded import TINY_BASE_DIR
from paretoflow.lm.folders import require_whole_folder
from tests.faults import raises

COMMAND = re.compile(r'python -c "(.*)"')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TINY_BASE_DIR, tmp_path / "base"))


def test_the_command_of_the_hint_converts_a_pickle(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with raises("model-incomplete", "pytorch_model.bin") as caught:
        require_whole_folder(str(folder), "here")
    found = COMMAND.search(caught.value.hint)
    assert found
    exec(found[1], {})
    new = Path(f"{folder}-safetensors")
    require_whole_folder(str(new), "here")
    saved = load_file(new / "model.safetensors")
    assert all(torch.equal(saved[name], weights[name]) for name in saved)
    assert (new / "tokenizer.json").is_file()
    assert (new / "chat_template.jinja").is_file()


@pytest.mark.parametrize("name", ["model.Q4_K_M.gguf", "pytorch_model.bin", "tf_model.h5", "a.pth"])
@pytest.mark.parametrize("config", [True, False])
def test_other_formats_of_weights_are_told(folder: Path, name: str, config: bool) -> None:
    (folder / "model.safetensors").rename(folder / name)
    if not config:
        (folder / "config.json").unlink()
    with raises("model-incomplete", name, "save_pretrained") as caught:
        require_whole_folder(str(folder), "here")
    assert ("gguf_file" in caught.value.hint) == name.endswith(".gguf")


def test_safetensors_beside_another_format_are_enough(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"x")
    require_whole_folder(str(folder), "here")


def test_the_state_of_a_trainer_is_no_other_format(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "training_args.bin")
    require_whole_folder(str(folder), "here")


@pytest.mark.parametrize("name", ["model.gguf", "model.safetensors"])
def test_a_file_is_no_folder(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"GGUF")
    with raises("model-incomplete", name) as caught:
        require_whole_folder(str(folder / name), "here")
    assert ("gguf_file='model.gguf'" in caught.value.hint) == (name == "model.gguf")


def test_a_reward_model_is_converted_as_one(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    (folder / "config.json").write_text('{"architectures": ["LlamaForSequenceClassification"]}')
    with raises("model-incomplete", "AutoModelForSequenceClassification"):
        require_whole_folder(str(folder), "here")
