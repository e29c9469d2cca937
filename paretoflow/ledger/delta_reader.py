"""Reads one Delta table; returns all of its rows, or raises an error.

Each commit records the number of its last row, and rows are numbered without gaps. So a damaged,
swapped, duplicated or missing log entry or data file is detected by extra or missing rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from paretoflow.core.errors import DamagedError
from paretoflow.ledger import delta_log
from paretoflow.ledger.data_files import MissingFileError, read_files, span_of
from paretoflow.ledger.delta_log import (
    CHECKPOINT_HINT,
    delta_options,
    log_entry,
    refuse_torn_entry,
    storage_errors,
)
from paretoflow.ledger.log_check import heal_hint, suspect
from paretoflow.ledger.new_table import VERSION_KEY
from paretoflow.ledger.tables import SCHEMA_VERSION
from paretoflow.storage import Folder, as_folder
from paretoflow.storage.patience import asked

POSITION_ID = "paretoflow.position"
EPOCH_ID = "paretoflow.epoch"
READ_ATTEMPTS = 3
"""Number of attempts of a read, in case the driver merges the files meanwhile."""


class DeltaReader:
    """A handle on a table, for reading.

    Args:
        folder: Folder of the table.
        order: Name of its integer column that numbers the rows.
        schema: Columns of the returned rows.

    Raises:
        LedgerError: If the table cannot be opened.
        SchemaVersionError: If a newer version of ParetoFlow wrote it.
    """

    def __init__(self, folder: Folder, order: str, schema: pa.Schema) -> None:
        self.folder = folder
        self.order = order
        self.rows_schema = schema
        with storage_errors(folder, CHECKPOINT_HINT):
            self._delta = self._open()
            refuse_torn_entry(folder, self._delta.version())
            self._load_transactions()
            configuration: Mapping[str, str] = self._delta.metadata().configuration
        self._found_version = _version_in(configuration, folder)
        # from here on the driver retries too, and keeps its worker groups meanwhile
        self.folder = as_folder(folder, delta_log.COMMIT_PATIENCE_S)

    def _open(self) -> Any:
        folder, options = self.folder, delta_options(self.folder)
        try:
            return asked(lambda: DeltaTable(folder.uri, storage_options=options), folder.uri)
        except (DeltaError, OSError) as error:
            refuse_torn_entry(folder)
            where = suspect(folder)
            if where is None:
                raise
            hint = CHECKPOINT_HINT if where.endswith(".parquet") else heal_hint(folder)
            raise DamagedError("a file of the log is damaged", where, hint) from error

    def refresh(self) -> None:
        """Read new commits from storage.

        Versions have no gaps, so a check for the next log entry shows whether there is a new
        commit; delta-rs would list the whole log.
        """
        with storage_errors(self.folder):
            if self.folder.exists(log_entry(self._delta.version() + 1)):
                self._delta.update_incremental()
                self._load_transactions()

    def read(self, after: int = -1, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows after number `after`, as of the last refresh, in any order.

        Raises:
            LedgerError: If rows are missing, or a file is damaged; names the file and the remedy.
        """
        rows = self._read(after, columns)
        self._require_whole(rows, after)
        return rows

    def _read(self, after: int, columns: Sequence[str] | None) -> pa.Table:
        if columns and self.order not in columns:
            columns = [*columns, self.order]
        for attempt in range(READ_ATTEMPTS):
            try:
                rows = read_files(self.folder, self.names(after), self.rows_schema, columns)
                return rows.filter(pc.greater(rows[self.order], after)) if after >= 0 else rows
            except MissingFileError as error:
                before = self._delta.version()
                self.refresh()  # the driver merged it after the last refresh
                if self._delta.version() == before or attempt + 1 == READ_ATTEMPTS:
                    where = f"{self.folder}/{error}"
                    raise DamagedError(
                        "a data file is gone", where, heal_hint(self.folder), code="damaged-gone"
                    ) from error
            except DamagedError as error:
                hint = heal_hint(self.folder)
                raise DamagedError(error.what, error.where, hint, code=error.code) from error
        raise AssertionError("unreachable")

    def names(self, after: int = -1) -> list[str]:
        """Return the names of the data files with rows after number `after`."""
        with storage_errors(self.folder):
            # by the statistics of each file, those without new rows are not opened
            predicate = f"{self.order} > {after}" if after >= 0 else None
            uris = self._delta.file_uris(file_pruning_predicate=predicate)
        # the folder's own name is escaped in a URI; the files are directly in it
        names = [uri.rpartition("/")[2] for uri in uris]
        spans = {name: span_of(name) for name in names}
        return [n for n, span in spans.items() if span is None or span.last > after]

    def _require_whole(self, rows: pa.Table, after: int) -> None:
        """Refuse rows that are not exactly those that the log records."""
        found = np.sort(rows[self.order].to_numpy())
        first = after + 1 if self.order == "seq" or not len(found) else int(found[0])
        if np.array_equal(found, np.arange(first, self.position + 1)):
            return
        where = suspect(self.folder) or f"{self.folder}/{delta_log.LOG}"
        raise DamagedError(
            f"the log has a hole: {_difference(found, first, self.position)}",
            where,
            heal_hint(self.folder),
            code="damaged-gone",
        )

    def _load_transactions(self) -> None:
        epoch, position = (self._delta.transaction_version(i) for i in (EPOCH_ID, POSITION_ID))
        self.stored_epoch = -1 if epoch is None else int(epoch)
        self.position = -1 if position is None else int(position)


def _version_in(configuration: Mapping[str, str], folder: Folder) -> int:
    text = configuration.get(VERSION_KEY, str(SCHEMA_VERSION))
    try:
        return int(text)
    except ValueError as error:
        raise DamagedError(
            f"the schema version is no number: {text!r}",
            f"{folder}/{log_entry(0)}",
            "restore the file from a copy",
        ) from error


def _difference(found: Any, first: int, last: int) -> str:
    """Return in words which rows are missing, duplicated or extra."""
    missing = sorted(set(range(first, last + 1)) - set(found.tolist()))
    if missing:
        return f"{rows_named(missing)} (of {last + 1}) missing"
    beyond = [n for n in found.tolist() if n > last]
    return f"rows up to {max(beyond)}, but it ends at {last}" if beyond else "rows come twice"


def rows_named(numbers: Sequence[int]) -> str:
    """Return row numbers in words: `row 8`, or `2 rows from 8 to 9`."""
    if len(numbers) == 1:
        return f"row {numbers[0]}"
    return f"{len(numbers)} rows from {min(numbers)} to {max(numbers)}"
