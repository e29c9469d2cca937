"""The header of a file of safetensors: its tensors by name, without their values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LONGEST = 100_000_000
"""Longest header that safetensors itself reads, in bytes."""


def tensor_header(file: Path) -> dict[str, Any]:
    """Return the entry of each tensor (dtype, shape, offsets); empty if the header is damaged."""
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length)) if length <= LONGEST else {}
    except (OSError, ValueError, RecursionError):
        return {}
    plain = header if isinstance(header, dict) else {}
    return {name: entry for name, entry in plain.items() if name != "__metadata__"}
