"""Checks of `model.adapter` against the base, by names and shapes, without torch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from paretoflow.cli.local.models import ModelFolder, base_folder
from paretoflow.cli.local.modules import RENAMES
from paretoflow.core.errors import ModelError
from paretoflow.lm.headers import tensor_header
from paretoflow.lm.start_files import WEIGHTS_FILE, start_config
from paretoflow.spec.models import ModelSpec, PretrainedModelSpec
from paretoflow.spec.positions import Fault
from paretoflow.spec.public import on_hub

_PATH = ("model", "adapter")
_FACTOR = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.weight")
_WRONG = "name an adapter that was trained on this base"
Shapes = dict[str, tuple[int, ...]]
"""Name of a tensor to its shape."""


def start_findings(model: ModelSpec) -> Iterator[Fault | str]:
    """Yield why the adapter to start from does not fit the base, or what was not checked."""
    if not isinstance(model, PretrainedModelSpec) or model.adapter is None:
        return
    folder = Path(model.adapter)
    try:
        config = start_config(folder)
    except ModelError as error:
        yield Fault(_PATH, error.what, error.hint, code=error.code)
        return
    kind = config.get("peft_type")
    if kind != "LORA":
        what = f"{folder} holds an adapter of the kind {kind}; allowed: LORA"
        yield Fault(_PATH, what, "merge it into the base yourself", code="model-adapter")
        return
    yield from _other_base(model, folder, config)
    own = _shapes([folder / WEIGHTS_FILE])
    if not own:
        what = f"{folder / WEIGHTS_FILE} is damaged, or holds no weights"
        yield Fault(_PATH, what, "copy the folder again", code="model-unreadable")
        return
    base = base_folder(model)
    known = _shapes(sorted(base.folder.glob("*.safetensors"))) if base else {}
    if base is None or not known or any(base.config.get(key) for key in RENAMES):
        yield "model.adapter: that its layers fit the base was not checked"
        return
    yield from _misfits(own, known, base, config)


def _other_base(model: PretrainedModelSpec, folder: Path, config: dict[str, Any]) -> Iterator[Any]:
    """Yield what the adapter's own record says of its base."""
    named = str(config.get("base_model_name_or_path") or "")
    if (folder / "base.json").is_file() or not named or named == model.path:
        return  # a digest, which the worker compares; or nothing
    if on_hub(named) and on_hub(model.path):
        what = f"the adapter was trained on {named}; allowed: {model.path}"
        yield Fault(_PATH, what, _WRONG, code="model-adapter")
    else:
        yield f"model.adapter says that it was trained on {Path(named).name}"


def _misfits(
    own: Shapes, known: Shapes, base: ModelFolder, config: dict[str, Any]
) -> Iterator[Fault]:
    """Yield the first layer of the adapter that the base does not have, or has in another shape.

    A base without its head in the name of its tensors (`model.`) is compared without it.
    """
    layers: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, shape in own.items():
        if match := _FACTOR.fullmatch(name):
            layers.setdefault(match[1], {})[match[2]] = shape
    if not layers:
        yield Fault(_PATH, "its weights hold no LoRA factors", _WRONG, code="model-adapter")
    tied = bool(base.config.get("tie_word_embeddings"))
    for name, factors in layers.items():
        size = _size(known, name)
        if tied and name.endswith("lm_head"):
            what = f"its layer {name} shares its weights with the embeddings in {base.folder}"
            yield Fault(_PATH, what, "leave it out when you train it", code="model-adapter")
            return
        if size is None:
            what = f"its layer {name} is none of the base's, {base.folder}"
            yield Fault(_PATH, what, _WRONG, code="model-adapter")
            return
        down, up = factors.get("A", ()), factors.get("B", ())
        wanted = size[::-1] if config.get("fan_in_fan_out") else size
        if len(down) != 2 or len(up) != 2 or (up[0], down[1]) != wanted or up[1] != down[0]:
            what = f"its layer {name} has factors of shapes {list(up)} and {list(down)}; "
            what += f"the base's is {list(size)}"
            yield Fault(_PATH, what, _WRONG, code="model-adapter")
            return


def _size(known: Shapes, name: str) -> tuple[int, ...] | None:
    places = (f"{name}.weight", f"{name.partition('.')[2]}.weight")
    return next((known[place] for place in places if place in known), None)


def _shapes(files: list[Path]) -> Shapes:
    """Return the shapes of the tensors in files; empty if one is damaged."""
    shapes: Shapes = {}
    for file in files:
        try:
            found = {n: tuple(map(int, e["shape"])) for n, e in tensor_header(file).items()}
        except (ValueError, KeyError, TypeError, OverflowError):
            found = {}
        if not found:
            return {}
        shapes |= found
    return shapes
