"""Check a program's adapter and convert it to the common form."""

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
    """Yield the base with a program's adapter on it, and save the adapter as an ordinary folder.

    The new folder holds only the adapter and names its base as all others do.

    Args:
        lm: The base, without an adapter.
        source: The program's PEFT folder.
        target: The checkpoint's folder.
        base_path: Path or hub id of the base, as passed to the program.

    Raises:
        ModelError: If the folder is no PEFT adapter, or belongs to another base.
        NonFiniteLossError: If a number in it is not finite.
    """
    _require_same_base(lm, source, base_path)
    _require_finite(source, target.name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mismatches are refused
        model = load_adapter(lm, source, trainable=False)
    try:
        model.peft_config["default"].base_model_name_or_path = lm.name
        save_adapter(model, target)
        yield model
    finally:
        unload(model)


def _require_same_base(lm: LanguageModel, source: Path, base_path: str) -> None:
    """Compare the names of the bases; a folder without one is checked by its shapes."""
    try:
        config = json.loads((source / "adapter_config.json").read_text(encoding="utf-8"))
        name = config.get("base_model_name_or_path") or ""
    except (OSError, ValueError, AttributeError):
        return  # `load_adapter` reports the fault
    if name and name not in (lm.name, base_path):
        raise ModelError(
            f"the adapter was trained on {name}; allowed: {base_path}",
            str(source),
            "load the base that the request names, `base.path`",
            code="model-adapter",
        )


def _require_finite(source: Path, name: str) -> None:
    """Refuse nan: training diverged, and would diverge again."""
    try:
        saved = load_file(source / "adapter_model.safetensors")
    except (OSError, SafetensorError):
        return  # `load_adapter` reports the fault
    if bad := not_finite(saved):
        raise NonFiniteLossError(
            f"the adapter of {name} is not finite: {min(bad)}",
            str(source),
            "lower method.learning_rate",
        )
