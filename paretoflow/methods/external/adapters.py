"""A program's adapter, checked and brought into the form of all others."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from paretoflow.core.errors import ModelError, NonFiniteLossError
from paretoflow.lm.adapters import load_adapter, save_adapter, unload
from paretoflow.lm.whole import not_finite

if TYPE_CHECKING:
    from paretoflow.lm.base import LanguageModel


@contextmanager
def adopted(lm: LanguageModel, source: Path, target: Path, base_path: str) -> Iterator[Any]:
    """Yield the base with a program's adapter on it, which is saved anew as an ordinary folder.

    Saved anew, it holds nothing but the adapter, on the disk, and names its base as all others do.

    Args:
        lm: The base; an adapter must not be on it.
        source: The program's PEFT folder.
        target: The checkpoint's folder.
        base_path: What the base was loaded from, as the program was told.

    Raises:
        ModelError: If it is no PEFT adapter, or belongs to another base.
        NonFiniteLossError: If a number in it is not finite.
    """
    _require_same_base(lm, source, base_path)
    _require_finite(source, target.name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what does not fit is refused
        model = load_adapter(lm, source, trainable=False)
    try:
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
            code="model-adapter",
        )


def _require_finite(source: Path, name: str) -> None:
    """Refuse nan as what it is: training that blew up, and would again."""
    try:
        saved = load_file(source / "adapter_model.safetensors")
    except (OSError, SafetensorError):
        return  # `load_adapter` says what is wrong
    if bad := not_finite(saved):
        raise NonFiniteLossError(
            f"the adapter of {name} is not finite: {min(bad)}",
            str(source),
            "lower method.learning_rate",
        )
