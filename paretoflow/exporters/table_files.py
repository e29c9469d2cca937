"""Writes tables as files of four kinds and reads their rows; a file's suffix gives its kind.

JSON and CSV are exact: a float is written with as many digits as it needs. Nan and infinity become
null in JSON and an empty cell in CSV. In CSV, a list is JSON in its cell, and text that a
spreadsheet would take for a formula begins with an apostrophe.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from paretoflow.core.errors import ExportError

_DAMAGE = (OSError, ValueError, KeyError, TypeError, RecursionError, csv.Error, pa.ArrowException)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
EXPORT_AGAIN = "export it again"
"""Hint for an export that cannot be read."""
Row = dict[str, Any]
MOST_CELLS = 1_000_000_000
MOST_BYTES = 16 << 30
"""Largest size of an uncompressed table in bytes."""


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table as the kind of file that the path's suffix names."""
    _WRITERS[path.suffix](table, path)


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a table that `write_table` wrote.

    Raises:
        ExportError: If the file is not there, of no known kind, or damaged.
    """
    if path.suffix not in _READERS:
        known = ", ".join(_READERS)
        what = f"tables are files that end in {known}, got {path.name!r}"
        raise ExportError(what, str(path), EXPORT_AGAIN)
    try:
        rows = _READERS[path.suffix](path)
    except _DAMAGE as error:
        reason = " ".join(str(error).split())[:200]
        what = f"cannot be read as {path.suffix[1:]}: {reason}"
        raise ExportError(what, str(path), EXPORT_AGAIN, code="export-damaged") from error
    if not all(isinstance(row, dict) for row in rows):
        raise ExportError(
            "is no table: a row is not an object", str(path), EXPORT_AGAIN, code="export-damaged"
        )
    return rows


def _write_arrow(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def _read_arrow(path: Path) -> list[Row]:
    with pa.OSFile(str(path), "rb") as source, pa.ipc.open_file(source) as reader:
        table = reader.read_all()
    table.validate(full=True)  # offsets outside the buffers would crash the process
    rows: list[Row] = table.to_pylist()
    return rows


def _read_parquet(path: Path) -> list[Row]:
    # opened as one file: a folder layout like key=value must not add columns
    file = pq.ParquetFile(path)
    _require_modest(file.metadata)
    table = file.read()
    table.validate(full=True)
    rows: list[Row] = table.to_pylist()
    return rows


def _require_modest(metadata: pq.FileMetaData) -> None:
    """Refuse a file whose uncompressed content is too large for memory."""
    groups = [metadata.row_group(g) for g in range(metadata.num_row_groups)]
    columns = [g.column(c) for g in groups for c in range(g.num_columns)]
    cells, size = (
        sum(c.num_values for c in columns),
        sum(c.total_uncompressed_size for c in columns),
    )
    if cells > MOST_CELLS or size > MOST_BYTES:
        raise ValueError(f"it unfolds into {cells:,} values and {size:,} bytes")


def _write_json(table: pa.Table, path: Path) -> None:
    rows = [{name: _finite(v) for name, v in row.items()} for row in table.to_pylist()]
    lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def _read_json(path: Path) -> list[Row]:
    rows: list[Row] = list(json.loads(path.read_text(encoding="utf-8")))
    return rows


def _write_csv(table: pa.Table, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as sink:
        writer = csv.writer(sink)
        writer.writerow(table.column_names)
        for row in table.to_pylist():
            writer.writerow([_cell(_finite(value)) for value in row.values()])


def _read_csv(path: Path) -> list[Row]:
    csv.field_size_limit(2**31 - 1)  # the scores of many prompts in one cell exceed the default
    with path.open(encoding="utf-8", newline="") as source:
        names, *rows = csv.reader(source, strict=True)
    return [{n: _value(n, cell) for n, cell in zip(names, row, strict=True)} for row in rows]


def _finite(value: Any) -> Any:
    if isinstance(value, list):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return json.dumps(value)


def _value(name: str, cell: str) -> Any:
    if cell == "":
        return None
    if name in TEXT_COLUMNS:
        return cell.removeprefix("'")
    return json.loads(cell)


TEXT_COLUMNS = frozenset(
    {
        "snapshot_id",
        "run_id",
        "kind",
        "target",
        "parent",
        "merge",
        "settings",
        "proposer",
        "reason",
        "adapter",
        "path",
        "digest",
        "condition",
        "rival",
        "status",
        "data",
    }
)
"""Columns of text; every other column of the tables holds numbers, truth values or lists."""

_WRITERS: dict[str, Callable[[pa.Table, Path], None]] = {
    ".parquet": pq.write_table,
    ".arrow": _write_arrow,
    ".json": _write_json,
    ".csv": _write_csv,
}
_READERS: dict[str, Callable[[Path], list[Row]]] = {
    ".parquet": _read_parquet,
    ".arrow": _read_arrow,
    ".json": _read_json,
    ".csv": _read_csv,
}
