"""Check that a folder holds exactly one model, by its file names: loads no torch and no file.

The check runs before transformers loads the folder, since transformers would silently apply an
adapter that lies beside a model, and read leftover shards as weights.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from paretoflow.core.errors import ModelError

ADAPTER_CONFIG = "adapter_config.json"
INDEX_FILE, ONE_FILE = "model.safetensors.index.json", "model.safetensors"
_SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")
_NO_WEIGHTS = ("training_args.bin", "optimizer.pt", "scheduler.pt")
_OTHER_WEIGHTS = (".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".pdparams", ".npz", ".onnx")
_GGUF = ".gguf"
_POINTER = b"version https://git-lfs"
_TOLD = 3
"""Number of names that a message lists."""


def require_whole_folder(path: str, where: str) -> None:
    """Refuse a folder that holds more or less than one model; a hub id passes.

    Raises:
        ModelError: If the path is a file, the weights are in no safetensors, an adapter, stale
            shards or a second set of weights lies beside the model, a shard is missing, or a file
            of weights is but a pointer to one.
    """
    folder = Path(path)
    if folder.is_file():
        what = f"{path} is a file; allowed: a hub id, or a folder with config.json and safetensors"
        own = [folder.name] if folder.suffix == _GGUF else []
        hint = _conversion(folder.parent, own) if own else "name the folder that holds it"
        raise ModelError(what, where, hint, code="model-incomplete")
    if not folder.is_dir():
        return
    names = {file.name for file in folder.iterdir()}
    _require_safetensors(folder, names, where)
    if ADAPTER_CONFIG in names and "config.json" not in names:
        hint = "name the base that the adapter was trained on, or merge it into that first"
        raise ModelError(
            f"{path} holds an adapter, not a model", where, hint, code="model-incomplete"
        )
    if ADAPTER_CONFIG in names:
        hint = "move the adapter's files to a folder of their own, or merge it into the model"
        raise ModelError(
            f"in {path} an adapter lies beside the model", where, hint, code="model-incomplete"
        )
    shards = {name for name in names if _SHARD.fullmatch(name)}
    if INDEX_FILE in names:
        _require_shards(folder, names, shards, where)
    elif shards:
        what = f"in {path} lie {listed(shards)} without {INDEX_FILE}"
        raise ModelError(
            what,
            where,
            "copy the index too, or remove shards that are left over",
            code="model-incomplete",
        )
    for name in sorted(n for n in names if n.endswith(".safetensors")):
        with (folder / name).open("rb") as stream:
            if stream.read(len(_POINTER)) == _POINTER:
                hint = "fetch it: git lfs pull, or hf download"
                raise ModelError(
                    f"{path}/{name} is a pointer to the weights",
                    where,
                    hint,
                    code="model-incomplete",
                )


def _require_safetensors(folder: Path, names: Collection[str], where: str) -> None:
    """Refuse a folder whose only weights are of another format."""
    others = [n for n in names if n.endswith((*_OTHER_WEIGHTS, _GGUF)) and n not in _NO_WEIGHTS]
    if not others or any(name.endswith(".safetensors") for name in names):
        return
    raise ModelError(
        f"{folder} holds {listed(others)}; only weights in safetensors are read",
        where,
        _conversion(folder, sorted(name for name in others if name.endswith(_GGUF))),
        code="model-incomplete",
    )


def _conversion(folder: Path, ggufs: Sequence[str]) -> str:
    """Return the advice to convert a folder once; the first of its GGUF files, if it has any."""
    new = f"{folder}-safetensors"
    first, model, words = "", f"{str(folder)!r}", f"{str(folder)!r}"
    if ggufs:
        first = "pip install gguf; "
        words += f", gguf_file={ggufs[0]!r}"
        model = f"{words}, quantization_config=t.GgufConfig(dequantize=True)"
    config = folder / "config.json"
    scores = config.is_file() and b"ForSequenceClassification" in config.read_bytes()
    kind = "SequenceClassification" if scores else "CausalLM"
    return (
        f"convert it once: {first}"
        f'python -c "import transformers as t; '
        f"t.AutoModelFor{kind}.from_pretrained({model}).save_pretrained({new!r}); "
        f't.AutoTokenizer.from_pretrained({words}).save_pretrained({new!r})"'
    )


def unread(path: str) -> tuple[str, ...]:
    """Return a note of the weights beside a model that are not read; none for a hub id."""
    folder = Path(path)
    if not folder.is_dir():
        return ()
    names = {f.name for f in folder.iterdir() if f.suffix in _WEIGHTS}
    left = {n for n in names if n != ONE_FILE and not _SHARD.fullmatch(n) and n not in _NO_WEIGHTS}
    if not left:
        return ()
    return (f"beside the model's weights in {path} lie {listed(left)}, which are not read",)


def _require_shards(folder: Path, names: Collection[str], shards: set[str], where: str) -> None:
    """Refuse shards that an index does not list, and an index that lists missing shards."""
    try:
        weight_map = json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))["weight_map"]
        named = set(weight_map.values())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"{folder}/{INDEX_FILE} cannot be read: {error}"
        raise ModelError(
            what, where, "copy the model's folder again", code="model-incomplete"
        ) from error
    faults = (
        (named - set(names), "lack", "copy the model's folder again, whole"),
        (shards - named, "does not list", "remove the shards that are left over"),
        ({ONE_FILE} & set(names) - named, "does not list", "keep one of the two sets of weights"),
    )
    for files, verb, hint in faults:
        if files:
            subject = f"the files of {folder}" if verb == "lack" else f"{folder}/{INDEX_FILE}"
            raise ModelError(
                f"{subject} {verb} {listed(files)}", where, hint, code="model-incomplete"
            )


def listed(names: Collection[str]) -> str:
    """Return the first few names, and the number of the rest."""
    shown = ", ".join(sorted(names)[:_TOLD])
    more = len(names) - _TOLD
    return f"{shown} and {more} more" if more > 0 else shown
