"""A Parquet file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow
import pyarrow.parquet

from paretoflow.core.errors import DataError
from paretoflow.data.bad_rows import Row
from paretoflow.data.prompts import Pools, RenderChat
from paretoflow.data.rows import RowReader, existing_file
from paretoflow.spec.data import ParquetDataSpec


def read(spec: ParquetDataSpec, render_chat: RenderChat | None) -> Pools:
    """Read a file batch by batch.

    Raises:
        DataError: If it is missing or not Parquet.
    """
    reader = RowReader(spec, render_chat)
    return reader.pools(spec.path, rows_of(existing_file(spec.path)))


def rows_of(path: Path) -> Iterator[Row]:
    """Yield the rows of a file, each with its number; see `read` for what it refuses."""
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches():
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path} row {number}", row
    except (pyarrow.ArrowException, OSError) as error:
        hint = "restore the file, or name another"
        raise DataError(
            f"cannot be read as Parquet: {error}", str(path), hint, code="data-unreadable"
        ) from error
