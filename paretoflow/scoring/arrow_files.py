"""Write and read one sealed Arrow file of a sweep; it appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from paretoflow.core.errors import DamagedError
from paretoflow.storage import file_at
from paretoflow.storage.sealed import sealed_bytes, unsealed_table


def write_table(path: Path | str, table: pa.Table) -> None:
    """Write a table to a path or URI; an older file is replaced.

    Raises:
        StorageError: If storage refuses, or gives no answer for minutes.
    """
    folder, name = file_at(path)
    folder.write(name, sealed_bytes(table))


def read_table(path: Path | str) -> pa.Table:
    """Read a table from a path or URI.

    Raises:
        DamagedError: If the file is damaged or gone.
        StorageError: If storage refuses.
    """
    folder, name = file_at(path)
    hint = "delete it, and it will be made again"
    try:
        content = folder.read(name)
    except FileNotFoundError as error:
        raise DamagedError(f"damaged Arrow file: {error}", str(path), hint) from error
    return unsealed_table(content, str(path), hint)
