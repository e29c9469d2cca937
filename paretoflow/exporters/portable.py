"""Makes the copy of an adapter valid on every machine: removes paths of the machine it is from."""

from __future__ import annotations

import json
from pathlib import Path

from paretoflow.exporters.base_model import BASE_FILE, BaseModel
from paretoflow.lm.adapter_config import read_config, read_object, write_config

_LEFT_OVER = (
    "README.md",
    "*.log",
    "training_args.*",
    "trainer_state.json",
    "optimizer.*",
    "scheduler.*",
    "rng_state*",
)
"""Files with paths that trainers leave beside an adapter and that no program loads."""
_NAMING = ("name_or_path", "_name_or_path")
"""Keys with the path that a tokenizer or a model was loaded from."""


def make_portable(adapter: Path, base: BaseModel) -> None:
    """Remove the place of the base from an adapter's folder; change nothing if it names none.

    Raises:
        ModelError: If its configuration cannot be read.
    """
    for pattern in _LEFT_OVER:
        for path in adapter.glob(pattern):
            path.unlink()
    for name in ("tokenizer_config.json", "config.json"):
        _unname(adapter / name, base)
    config = read_config(adapter)
    if config.get("base_model_name_or_path") not in (None, base.recorded):
        write_config(adapter, config | {"base_model_name_or_path": base.recorded})
    told = adapter / BASE_FILE
    if told.is_file():
        found = read_object(told)
        if found.get("name") != base.name:
            text = json.dumps(found | {"name": base.name}, indent=2)
            told.write_text(text + "\n", encoding="utf-8")


def _unname(path: Path, base: BaseModel) -> None:
    if path.is_file():
        found = read_object(path)
        named = {key: base.name for key in _NAMING if key in found and found[key] != base.name}
        if named:
            path.write_text(json.dumps(found | named, indent=2) + "\n", encoding="utf-8")
