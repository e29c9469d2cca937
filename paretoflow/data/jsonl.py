"""JSON lines, plain or gzipped."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

from paretoflow.core.errors import DataError
from paretoflow.data.bad_rows import Row
from paretoflow.data.prompts import Pools, RenderChat
from paretoflow.data.rows import RowReader, existing_file
from paretoflow.spec.data import JsonlDataSpec


def read(spec: JsonlDataSpec, render_chat: RenderChat | None) -> Pools:
    """Read a file of one JSON object a line; blank lines are skipped.

    Raises:
        DataError: If the file is missing or broken, or a row cannot be used; names file and line.
    """
    reader = RowReader(spec, render_chat)
    return reader.pools(spec.path, rows_of(existing_file(spec.path)))


def rows_of(path: Path) -> Iterator[Row]:
    """Yield the objects of a file, each with its line; a line without an object yields its error.

    Raises:
        DataError: If the file is missing or broken.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    number = 0
    try:
        # invalid UTF-8 becomes half characters, which `_object` reports
        with opened(path, "rt", encoding="utf-8-sig", errors="surrogateescape") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield f"{path}:{number}", _object(line, f"{path}:{number}")
    except (OSError, EOFError, zlib.error) as error:
        hint = "restore the file, or name another"
        raise DataError(
            f"cannot be read: {error}", f"{path}:{number + 1}", hint, code="data-unreadable"
        ) from error


def _object(line: str, where: str) -> dict[str, object] | DataError:
    hint = 'every line must be one JSON object, for instance {"prompt": "..."}'
    try:
        line.encode()
        row = json.loads(line)
    except UnicodeEncodeError as error:
        what = f"not UTF-8 text: an odd byte at character {error.start + 1}"
        return DataError(what, where, "save the file as UTF-8", code="data-unreadable")
    except json.JSONDecodeError as error:
        return DataError(
            f"not JSON: {error.msg} at column {error.colno}", where, hint, code="data-unreadable"
        )
    except (ValueError, RecursionError) as error:  # thousands of digits or brackets
        return DataError(f"not JSON that can be read: {error}", where, hint, code="data-unreadable")
    if not isinstance(row, dict):
        return DataError(
            f"a {type(row).__name__} and not an object", where, hint, code="data-unreadable"
        )
    return row
