"""Data sets written by `save_to_disk`, read by Arrow alone: the datasets library is slow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.ipc

from paretoflow.core.errors import DataError
from paretoflow.data.bad_rows import Row
from paretoflow.spec.data import HubDataSpec
from paretoflow.spec.data_given import GivenSource

_SPLITS, _STATE = "dataset_dict.json", "state.json"
_HINT = "save the data set again with save_to_disk"


def is_saved(path: str) -> bool:
    """Return whether a folder is a saved data set, of several splits or of one."""
    return any((Path(path) / name).is_file() for name in (_SPLITS, _STATE))


def saved_rows(spec: HubDataSpec | GivenSource) -> Iterator[Row]:
    """Yield the rows of a saved split, each with its number.

    Raises:
        DataError: If the split is not there, or cannot be read.
    """
    folder = Path(spec.path)
    if (folder / _SPLITS).is_file():
        splits = _listed(folder / _SPLITS, "splits")
        if spec.split not in splits:
            hint = f"the folder holds {', '.join(sorted(map(str, splits)))}"
            raise DataError(f"no split {spec.split!r}", spec.path, hint, code="data-not-found")
        folder = folder / spec.split
    number = 0
    for file in _listed(folder / _STATE, "_data_files"):
        path = folder / str(file.get("filename") if isinstance(file, dict) else file)
        try:
            with pyarrow.memory_map(str(path)) as source:
                for batch in pyarrow.ipc.open_stream(source):
                    for row in batch.to_pylist():
                        number += 1
                        yield f"{spec.path} ({spec.split}) row {number}", row
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(
                f"cannot be read as Arrow: {error}", str(path), _HINT, code="data-unreadable"
            ) from error


def _listed(file: Path, key: str) -> list[Any]:
    try:
        found = json.loads(file.read_bytes())[key]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"cannot be read: {error}", str(file), _HINT, code="data-unreadable"
        ) from error
    if not isinstance(found, list):
        raise DataError(f"lists no {key}", str(file), _HINT, code="data-unreadable")
    return found
