"""Write and read one Arrow IPC file of a sweep; a file appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from paretoflow.core.errors import LedgerError
from paretoflow.storage import file_at


def write_table(path: Path | str, table: pa.Table) -> None:
    """Write a table to a path or URI; an older file is replaced.

    Raises:
        StorageError: If storage refuses, or gives no answer for minutes.
    """
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    folder, name = file_at(path)
    folder.write(name, sink.getvalue().to_pybytes())


def read_table(path: Path | str) -> pa.Table:
    """Read a table from a path or URI.

    Raises:
        LedgerError: If the file is damaged or gone.
        StorageError: If storage refuses.
    """
    folder, name = file_at(path)
    try:
        return pa.ipc.open_file(folder.read(name)).read_all()
    except (FileNotFoundError, pa.ArrowInvalid) as error:
        raise LedgerError(
            f"damaged Arrow file: {error}", str(path), "delete it, and it will be made again"
        ) from error
