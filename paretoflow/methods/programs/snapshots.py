"""A program's adapter, checked and brought into the form of all others."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import get_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file

from paretoflow.core.errors import ModelError, NonFiniteLossError
from paretoflow.lm.adapters import load_adapter, save_adapter, unload

if TYPE_CHECKING:
    from paretoflow.lm.base import LanguageModel


@contextmanager
def adopted(lm: LanguageModel, source: Path, target: Path, base_path: str) -> Iterator[Any]:
    """Yield the base with a program's adapter on it, which is saved anew as an ordinary folder.

    Saved anew, it holds nothing but the adapter, on the disk, and names its base as all others do.

    Args:
        lm: The base; an adapter must not be on it.
        source: The program's PEFT folder.
        target: The snapshot's folder.
        base_path: What the base was loaded from, as the program was told.

    Raises:
        ModelError: If it is no PEFT adapter, or belongs to another base.
        NonFiniteLossError: If a number in it is not finite.
    """
    _require_same_base(lm, source, base_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what does not fit is refused below
        model = load_adapter(lm, source, trainable=False)
    try:
        _require_whole(model, lm, source, target.name)
        model.peft_config["default"].base_model_name_or_path = lm.name
        save_adapter(model, target)
        yield model
    finally:
        unload(model)


def _require_same_base(lm: LanguageModel, source: Path, base_path: str) -> None:
    """Compare the names; where the folder names no base, its shapes have to speak."""
    try:
        config = json.loads((source / "adapter_config.json").read_text(encoding="utf-8"))
        name = config.get("base_model_name_or_path") or ""
    except (OSError, ValueError, AttributeError):
        return  # `load_adapter` says what is wrong
    if name and name not in (lm.name, base_path):
        raise ModelError(
            f"the adapter was trained on {name}; allowed: {base_path}",
            str(source),
            "load the base that the request names, `base.path`",
        )


def _require_whole(model: Any, lm: LanguageModel, source: Path, name: str) -> None:
    """Refuse tensors that have no place in the base, places without a tensor, and nan."""
    try:
        saved = load_file(source / "adapter_model.safetensors")
    except SafetensorError as error:
        raise ModelError(f"the adapter cannot be read: {error}", str(source)) from error
    places = get_peft_model_state_dict(model, save_embedding_layers=False).keys()
    if odd := sorted(saved.keys() ^ places):
        raise ModelError(
            f"the adapter is not one of {lm.name}: {len(odd)} of its tensors or of the base's "
            f"adapted layers have no counterpart, for instance {odd[0]}",
            str(source),
            "load the base that the request names, `base.path`",
        )
    if bad := sorted(key for key, tensor in saved.items() if not torch.isfinite(tensor).all()):
        raise NonFiniteLossError(
            f"the adapter of {name} is not finite: {bad[0]}",
            str(source),
            "lower method.learning_rate",
        )
