"""Parquet files of a table, named after their rows and the digest of their bytes.

So a changed, truncated or swapped file is detected before Arrow reads it. Files written by earlier
versions or by Delta's own maintenance have no such names. Of these files, only unreadable ones are
detected here; extra or missing rows are detected where rows are counted.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from paretoflow.core.errors import DamagedError
from paretoflow.ledger.delta_log import storage_errors
from paretoflow.storage import Folder

READERS = 8
"""Number of concurrent requests to an object store."""
_NAME = re.compile(r"(rows|all)-(\d{8,18})-(\d{8,18})-e(\d{6,18})-([0-9a-f]{32})\.parquet")


@dataclass(frozen=True)
class Span:
    """Content of a data file, as encoded in its name.

    Args:
        merged: Whether it holds the rows of many commits.
        first: Number of its first row.
        last: Number of its last row.
        epoch: Epoch of the driver that wrote it.
    """

    merged: bool
    first: int
    last: int
    epoch: int
    digest: str


def span_of(name: str) -> Span | None:
    """Return the span in a file's name; None if another program named it."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    kind, first, last, epoch, digest = found.groups()
    return Span(kind == "all", int(first), int(last), int(epoch), digest)


def data_file(rows: pa.Table, order: str, epoch: int, *, merged: bool = False) -> tuple[str, bytes]:
    """Return the name and the content of a file that holds some rows, at least one."""
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    numbers = pc.min_max(rows[order])
    first, last = (numbers[end].as_py() for end in ("min", "max"))
    kind = "all" if merged else "rows"
    return f"{kind}-{first:08d}-{last:08d}-e{epoch:06d}-{_digest(content)}.parquet", content


def read_files(
    folder: Folder, names: Sequence[str], schema: pa.Schema, columns: Sequence[str] | None = None
) -> pa.Table:
    """Return the rows of some files; missing columns are null.

    Raises:
        FileNotFoundError: If a file is gone.
        DamagedError: If a file is damaged.
        StorageError: If storage refuses access.
    """
    wanted = pa.schema([schema.field(c) for c in columns]) if columns else schema

    def read(name: str) -> pa.Table:
        return read_file(folder, name, wanted)

    if folder.local is None and len(names) > 1:
        with ThreadPoolExecutor(READERS) as readers:
            parts = list(readers.map(read, names))
    else:
        parts = [read(name) for name in names]
    return pa.concat_tables(parts) if parts else wanted.empty_table()


def read_file(folder: Folder, name: str, wanted: pa.Schema) -> pa.Table:
    """Return the rows of one file; see `read_files`."""
    with storage_errors(folder):
        try:
            content = folder.read(name)
        except FileNotFoundError as error:
            raise MissingFileError(name) from error
    span, where = span_of(name), f"{folder}/{name}"
    if span is not None and _digest(content) != span.digest:
        raise DamagedError("a data file is damaged: it has another digest", where)
    try:
        return _parsed(content, wanted, sealed=span is not None)
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        told = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DamagedError(f"a data file is damaged: {told}", where) from error


class MissingFileError(Exception):
    """A data file is gone; the message is its name. This error never leaves the ledger."""


def _parsed(content: bytes, wanted: pa.Schema, *, sealed: bool) -> pa.Table:
    file = pq.ParquetFile(pa.BufferReader(content))
    there = set(file.schema_arrow.names)
    table = file.read([name for name in wanted.names if name in there], use_threads=False)
    table.validate(full=not sealed)
    columns: list[Any] = [
        table[f.name].cast(f.type) if f.name in there else pa.nulls(table.num_rows, f.type)
        for f in wanted
    ]
    return pa.table(columns, schema=wanted)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
