"""PEFT's configuration of an adapter on disk, read and written without PEFT."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from paretoflow.core.errors import ModelError

CONFIG_FILE = "adapter_config.json"


def read_config(adapter: Path) -> dict[str, Any]:
    """Return PEFT's configuration of an adapter.

    Raises:
        ModelError: If it cannot be read.
    """
    return read_object(adapter / CONFIG_FILE)


def write_config(adapter: Path, config: dict[str, Any]) -> None:
    """Write PEFT's configuration of an adapter, as PEFT lays it out."""
    text = json.dumps(config, indent=2, sort_keys=True)
    (adapter / CONFIG_FILE).write_text(text, encoding="utf-8")


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file of an adapter's folder.

    Raises:
        ModelError: If it cannot be read.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        what = f"{path.name} of the adapter {path.parent.name} cannot be read: {error}"
        raise ModelError(
            what, hint="restore the adapter's folder from a copy", code="model-unreadable"
        ) from error
    if not isinstance(found, dict):
        raise ModelError(
            f"{path.name} of the adapter {path.parent.name} is no JSON object",
            code="model-unreadable",
        )
    return found
