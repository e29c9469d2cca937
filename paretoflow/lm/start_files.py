"""The files of the adapter that a base starts from, which every run of a sweep is trained on.

The sweep keeps a copy, so that its exports stand when the original is gone. Only what decides the
weights counts: the name of the base in the configuration may differ from copy to copy.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from paretoflow.core.errors import ModelError
from paretoflow.core.ids import digest_of
from paretoflow.lm.files import digest_of_file

START = "start_adapter"
"""Folder of the copy, in a sweep and in an export."""
CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
_BASE = "base_model_name_or_path"


def start_config(folder: Path) -> dict[str, Any]:
    """Return the adapter's configuration.

    Raises:
        ModelError: If it cannot be read.
    """
    try:
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(folder, f"{CONFIG_FILE} cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise _unreadable(folder, f"{CONFIG_FILE} is no JSON object")
    return config


def start_files(folder: Path) -> dict[str, str]:
    """Return the digests of what decides the adapter's weights, by name.

    Raises:
        ModelError: If a file is missing, or cannot be read.
    """
    config = {k: v for k, v in start_config(folder).items() if k != _BASE}
    try:
        weights = digest_of_file(folder / WEIGHTS_FILE)
    except OSError as error:
        raise _unreadable(folder, f"{WEIGHTS_FILE} cannot be read: {error}") from error
    return {f"{START}/{CONFIG_FILE}": digest_of(config), f"{START}/{WEIGHTS_FILE}": weights}


def start_digest(folder: Path) -> str:
    """Return one digest of the adapter, the same for every copy."""
    return digest_of(start_files(folder))


def copy_start(source: Path, target: Path, base: str | None) -> None:
    """Copy the adapter's two files into a new folder; record `base` as the name of its base.

    Raises:
        ModelError: If a file cannot be read.
    """
    config = start_config(source) | {_BASE: base}
    target.mkdir(parents=True)
    shutil.copyfile(source / WEIGHTS_FILE, target / WEIGHTS_FILE)
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    (target / CONFIG_FILE).write_text(text, encoding="utf-8")


def _unreadable(folder: Path, what: str) -> ModelError:
    hint = "name a folder that PEFT's `save_pretrained` wrote"
    return ModelError(what, str(folder), hint, code="model-adapter")
