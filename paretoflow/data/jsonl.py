"""JSON lines, plain or gzipped."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

from paretoflow.core.errors import DataError
from paretoflow.data.prompts import Pools, RenderChat
from paretoflow.data.rows import Row, RowReader, existing_file
from paretoflow.spec.data import JsonlDataSpec


def read(spec: JsonlDataSpec, render_chat: RenderChat | None) -> Pools:
    """Read a file of one JSON object a line; blank lines are skipped.

    Raises:
        DataError: If the file is missing or a line is not a JSON object; names file and line.
    """
    reader = RowReader(spec, render_chat)
    return Pools(spec.path, tuple(reader.prompts(rows_of(existing_file(spec.path)))))


def rows_of(path: Path) -> Iterator[Row]:
    """Yield the objects of a file, each with its line; see `read` for what it refuses."""
    opened = gzip.open if path.suffix == ".gz" else open
    number = 0
    try:
        with opened(path, "rt", encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield f"{path}:{number}", _object(line, f"{path}:{number}")
    except UnicodeDecodeError as error:
        what = f"not UTF-8 text: {error.reason} at byte {error.start}"
        raise DataError(what, f"{path}:{number + 1}", "save the file as UTF-8") from error
    except (OSError, EOFError, zlib.error) as error:
        hint = "restore the file, or name another"
        raise DataError(f"cannot be read: {error}", f"{path}:{number + 1}", hint) from error


def _object(line: str, where: str) -> dict[str, object]:
    hint = 'every line must be one JSON object, for instance {"prompt": "..."}'
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        what = f"not JSON: {error.msg} at column {error.colno}"
        raise DataError(what, where, hint) from error
    if not isinstance(row, dict):
        raise DataError(f"a {type(row).__name__} and not an object", where, hint)
    return row
