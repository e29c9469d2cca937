"""Write and read one Arrow IPC file; a file appears whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa

from paretoflow.core.errors import LedgerError


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table under a temporary name, then rename it; an older file is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    partial.replace(path)


def read_table(path: Path) -> pa.Table:
    """Read a table.

    Raises:
        LedgerError: If the file is damaged.
    """
    try:
        with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
            return reader.read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise LedgerError(
            f"damaged Arrow file: {error}", str(path), "delete it, and it will be made again"
        ) from error
