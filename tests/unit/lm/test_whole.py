from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paretoflow.lm.base import load_base, load_folder
from paretoflow.lm.folders import unread
from paretoflow.spec.models import PretrainedModelSpec
from tests.faults import raises
from tests.tiny_models import add_tokenizer, save_model

pytestmark = pytest.mark.train

Break = Callable[[Path], None]


def _weights(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Break:
    """Return what changes the tensors of a folder."""

    def broken(folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        path = folder / "model.safetensors"
        tensors = {name: t.clone() for name, t in change(load_file(path)).items()}
        save_file(tensors, path, metadata={"format": "pt"})

    return broken


def _json(name: str, **values: Any) -> Break:
    def broken(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return broken


def _file(name: str, content: bytes) -> Break:
    return lambda folder: (folder / name).write_bytes(content) and None  # type: ignore[func-returns-value]


def _renamed(old: str, new: str) -> Break:
    return _weights(lambda t: {name.replace(old, new): v for name, v in t.items()})


def _without(part: str) -> Break:
    return _weights(lambda t: {name: v for name, v in t.items() if part not in name})


def _set(name: str, value: float) -> Break:
    def change(tensors: dict[str, Any]) -> dict[str, Any]:
        tensors[name].view(-1)[3] = value
        return tensors

    return _weights(change)


def _more(name: str, like: str, factor: float = 2.0) -> Break:
    return _weights(lambda t: {**t, name: t[like] * factor + 0.1})


def _no_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()


def _token_added(folder: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<think>", "</think>"])
    tokenizer.save_pretrained(folder)


def _adapter_beside(folder: Path) -> None:
    from peft import LoraConfig, get_peft_model

    lm = load_folder(folder, name=str(folder))
    get_peft_model(lm.model, LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(
        folder, save_embedding_layers=False
    )


Q, UP = "model.layers.1.self_attn.q_proj.weight", "model.layers.0.mlp.up_proj.weight"
TABLE = "model.embed_tokens.weight"
BROKEN: dict[str, tuple[Break, str]] = {
    "a layer under another prefix": (
        _renamed("model.layers.1", "module.layers.1"),
        "module.layers",
    ),
    "every weight under a wrapper's name": (_renamed("model.", "_orig_mod.model."), "_orig_mod"),
    "no norms": (_without("norm"), "model.layers.0.input_layernorm"),
    "one bias too many": (_more("model.layers.0.mlp.up_proj.bias", UP), "up_proj.bias"),
    "a third layer": (_more(Q.replace(".1.", ".2."), Q), "model.layers.2"),
    "a second output layer": (_more("lm_head.weight", TABLE), "two"),
    "a table that is no longer tied": (_json("config.json", tie_word_embeddings=False), "lm_head"),
    "nan": (_set(Q, float("nan")), Q),
    "an infinity": (_set(UP, float("inf")), UP),
    "another width": (_json("config.json", intermediate_size=32), "mismatched"),
    "no tokenizer": (_no_tokenizer, "tokenizer"),
    "tokens beyond the table": (_token_added, "'<think>'"),
    "an end that is no token": (_json("generation_config.json", eos_token_id=[1, 9999]), "9999"),
    "an adapter beside it": (_adapter_beside, "adapter"),
    "a shard left over": (
        _file("model-00002-of-00003.safetensors", b"x" * 9),
        "model-00002-of-00003.safetensors",
    ),
    "a pointer": (
        _file("model.safetensors", b"version https://git-lfs.github.com/spec/v1\n"),
        "lfs",
    ),
    "an index that is none": (_file("model.safetensors.index.json", b"[]"), "index.json"),
}
CODES = {
    "nan": "model-not-finite",
    "an infinity": "model-not-finite",
    "another width": "model-unreadable",
    "no tokenizer": "model-unreadable",
    "tokens beyond the table": "model-tokenizer",
    "an end that is no token": "model-tokenizer",
}
"""Of what is broken otherwise than by files or weights that are missing or too many."""


@pytest.mark.parametrize("name", BROKEN)
def test_a_base_that_is_not_whole_is_refused(
    name: str, tiny_base_dir: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_base_dir, tmp_path / "base"))
    change, told = BROKEN[name]
    change(folder)
    with raises(CODES.get(name, "model-incomplete"), told) as caught:
        load_folder(folder, name="broken")
    assert caught.value.where == "broken"
    assert caught.value.hint


@pytest.fixture
def sharded(tiny_base_dir: Path, tmp_path: Path) -> Path:
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_base_dir)
    folder = tmp_path / "sharded"
    model.save_pretrained(folder, max_shard_size="40KB")
    add_tokenizer(tiny_base_dir, folder)
    return folder


def _shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("model-*.safetensors"))


def test_shards_are_whole_or_refused(sharded: Path, tiny_base_dir: Path) -> None:
    assert len(_shards(sharded)) > 2
    load_folder(sharded, name="whole")
    stale = sharded / "model-00001-of-00002.safetensors"
    shutil.copy(_shards(sharded)[0], stale)
    with raises("model-incomplete", "model-00001-of-00002") as caught:
        load_folder(sharded, name="stale")
    assert "left over" in caught.value.hint
    stale.unlink()
    shutil.copy(tiny_base_dir / "model.safetensors", sharded)
    with raises("model-incomplete", "model.safetensors"):
        load_folder(sharded, name="twice")
    (sharded / "model.safetensors").unlink()
    _shards(sharded)[1].unlink()
    with raises("model-incomplete", "model-00002"):
        load_folder(sharded, name="torn")


def test_an_index_that_forgot_a_shard_is_refused(sharded: Path) -> None:
    path = sharded / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    last = _shards(sharded)[-1]
    kept = {k: file for k, file in index["weight_map"].items() if file != last.name}
    path.write_text(json.dumps(index | {"weight_map": kept}))
    with raises("model-incomplete", "model-00003-of-00003"):
        load_folder(sharded, name="forgot")
    last.unlink()
    with raises("model-incomplete", "trained"):
        load_folder(sharded, name="forgot")


@pytest.mark.parametrize(
    ("kind", "config", "code", "told"),
    [
        ("BertForMaskedLM", {}, "model-unsupported", "bert"),
        ("RobertaForMaskedLM", {}, "model-unsupported", "roberta"),
        ("LlamaForSequenceClassification", {}, "model-incomplete", "lm_head"),
        (
            "BartForConditionalGeneration",
            {"d_model": 16, "encoder_layers": 1},
            "model-unsupported",
            "encoder-decoder",
        ),
        (
            "GPT2LMHeadModel",
            {"n_embd": 32, "n_layer": 1, "n_head": 2, "cut": True},
            "model-incomplete",
            "wpe",
        ),
    ],
)
def test_a_model_of_another_kind_is_refused_by_name(
    kind: str, config: dict[str, Any], code: str, told: str, tiny_base_dir: Path, tmp_path: Path
) -> None:
    cut = config.pop("cut", False)
    folder = save_model(kind, tiny_base_dir, tmp_path / "other", **config)
    if cut:
        _without("wpe")(folder)
    with raises(code, told):
        load_folder(folder, name="other")


@pytest.mark.parametrize(
    ("names", "note"),
    [
        ((), ""),
        (("training_args.bin", "optimizer.pt"), ""),
        (("pytorch_model.bin",), "lie pytorch_model.bin, which are not read"),
        (("consolidated.safetensors", "old.pth"), "lie consolidated.safetensors, old.pth, which"),
        (("pytorch_model-00001-of-00002.bin",), "pytorch_model-00001-of-00002.bin"),
    ],
)
def test_weights_that_are_not_read_are_told(
    names: tuple[str, ...], note: str, tiny_base_dir: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_base_dir, tmp_path / "base"))
    for name in names:
        (folder / name).write_bytes(b"version 1")
    told = unread(str(folder))
    assert note in "".join(told)
    assert len(told) == bool(note)
    assert unread("owner/name") == ()


def test_an_adapter_alone_is_no_base(tiny_base_dir: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_base_dir, tmp_path / "base"))
    _adapter_beside(folder)
    (folder / "config.json").unlink()
    with raises("model-incomplete", "adapter"):
        load_folder(folder, name="adapter")


def test_weights_too_large_for_half_precision_are_refused(
    tiny_base_dir: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_base_dir, tmp_path / "base"))
    _set(Q, 1e6)(folder)
    load_folder(folder, name="wide")
    half = PretrainedModelSpec(type="pretrained", path=str(folder), dtype="float16", device="cpu")
    with raises("model-not-finite", "not finite") as caught:
        load_base(half)
    assert "float32" in caught.value.hint


@pytest.mark.parametrize(
    ("kind", "config", "window"),
    [
        ("LlamaForCausalLM", {}, 256),
        ("OPTForCausalLM", {"ffn_dim": 32, "max_position_embeddings": 64}, 64),
        ("GPT2LMHeadModel", {"n_positions": 48, "max_position_embeddings": 48}, 48),
        ("RobertaForCausalLM", {"is_decoder": True, "max_position_embeddings": 130}, 128),
    ],
)
def test_the_window_is_what_the_position_table_holds(
    kind: str, config: dict[str, Any], window: int, tiny_base_dir: Path, tmp_path: Path
) -> None:
    import torch

    ids = {"pad_token_id": 1} if kind == "RobertaForCausalLM" else {}
    folder = save_model(kind, tiny_base_dir, tmp_path / "base", **config, **ids)
    lm = load_folder(folder, name=kind)
    assert lm.context_tokens == window
    with torch.no_grad():
        lm.model(input_ids=torch.full((1, window), 5))
