"""One Delta table with one writer at a time.

Every commit carries two application transactions under ids that are the same for every driver: the
position reached and the driver's epoch. delta-rs refuses a commit when another one with the same
ids came after the snapshot it is based on, so two drivers can never both land. It does not check
that numbers grow: a handle that has caught up may commit anything. That check is made here, after
every refresh.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from paretoflow.core.errors import FencedError, LedgerError
from paretoflow.ledger import delta_log
from paretoflow.ledger.delta_log import (
    CHECKPOINT_HINT,
    delta_options,
    log_entry,
    refuse_torn_entry,
    storage_errors,
    sync_commit,
)
from paretoflow.ledger.migrations import pending_migrations
from paretoflow.ledger.new_table import VERSION_KEY
from paretoflow.ledger.tables import SCHEMA_VERSION
from paretoflow.storage import Folder, as_folder
from paretoflow.storage.objects import ObjectFolder
from paretoflow.storage.patience import passes, patiently

POSITION_ID = "paretoflow.position"
EPOCH_ID = "paretoflow.epoch"
COMMIT_ATTEMPTS = 20
TAKEOVER_ATTEMPTS = 200
"""Commits that a newcomer may lose in a row to the driver that it takes over from."""
SILENCES = 3
"""Commits in a row whose answer an object store may owe; a driver goes on from there."""
COMPACT_EVERY = 200
"""Commits between compactions: reading costs about a millisecond per live file."""


class FencedTable:
    """A handle on a table, for reading until `take_over` makes it a writer.

    Args:
        folder: Where the table lives.
        order: Name of its integer column that counts rows in order of commit.
        fsync: Whether a commit returns only after a local disk has it; an object store confirms
            nothing before.

    Raises:
        LedgerError: If the table cannot be opened.
        SchemaVersionError: If a newer version of ParetoFlow wrote it.
    """

    def __init__(self, folder: Folder, order: str, *, fsync: bool) -> None:
        self.folder = folder
        self.epoch = -1
        self._order = order
        self._fsync = fsync
        self._silences = 0
        with storage_errors(folder, CHECKPOINT_HINT):
            self._delta = self._open()
            refuse_torn_entry(folder, self._delta.version())
            self._load_transactions()
            self._commits = len(self._delta.file_uris())
            configuration: Mapping[str, str] = self._delta.metadata().configuration
        found = int(configuration.get(VERSION_KEY, SCHEMA_VERSION))
        self._migrations = pending_migrations(found, folder.uri)
        # from here on a driver waits too, and keeps its gangs meanwhile
        self.folder = as_folder(folder, delta_log.COMMIT_PATIENCE_S)

    def _open(self) -> Any:
        folder, options = self.folder, delta_options(self.folder)
        try:
            return patiently(lambda: DeltaTable(folder.uri, storage_options=options), folder.uri)
        except (DeltaError, OSError):
            refuse_torn_entry(folder)
            raise

    def refresh(self) -> None:
        """Look at storage again.

        Versions have no gaps, so one look for the next log entry tells whether there is anything
        new; delta-rs would list the whole log.
        """
        with storage_errors(self.folder):
            if self.folder.exists(log_entry(self._delta.version() + 1)):
                self._delta.update_incremental()
                self._load_transactions()

    def read(self, after: int = -1, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows that come after `after`, as of the last refresh, in no set order."""
        with storage_errors(
            self.folder, "if a data file is damaged or gone, restore it from a copy"
        ):
            # the statistics of each file leave unopened those without new rows
            predicate = f"{self._order} > {after}" if after >= 0 else None
            uris = self._delta.file_uris(file_pruning_predicate=predicate)
            schema = self._schema()
            if not uris:
                table = schema.empty_table()
                return table.select(columns) if columns else table
            # the folder's own name is escaped in a URI; the files lie right in it
            names = [uri.rpartition("/")[2] for uri in uris]
            newer = ds.field(self._order) > after
            return self._read(names, schema=schema, columns=columns, filters=newer)

    def _read(self, names: Sequence[str], **what: Any) -> pa.Table:
        folder = self.folder
        if isinstance(folder, ObjectFolder):
            paths, store = [folder.path(name) for name in names], folder.filesystem
        else:
            paths, store = [f"{folder}/{name}" for name in names], None
        return patiently(
            lambda: pq.read_table(paths, filesystem=store, partitioning=None, **what),
            folder.uri,
            delta_log.COMMIT_PATIENCE_S,
        )

    def take_over(self, at_least: int = 0) -> int:
        """Become the table's only writer, in a commit of its own.

        Args:
            at_least: Smallest epoch to take.

        Returns:
            The epoch taken: the one after the last, if that is not too small.
        """
        for _ in range(TAKEOVER_ATTEMPTS):
            self.refresh()
            epoch = max(self.stored_epoch + 1, at_least)
            if self._claim(epoch):
                return epoch
        raise self.too_busy()

    def join(self, epoch: int) -> None:
        """Become the table's only writer under an epoch that was taken in another table.

        Raises:
            FencedError: If a newer driver was here already.
        """
        for attempt in range(TAKEOVER_ATTEMPTS):
            self.refresh()
            if self.stored_epoch == epoch and attempt:  # the claim landed; its answer was lost
                self._own(epoch)
                return
            if self.stored_epoch >= epoch:
                raise _fenced(self.stored_epoch, epoch, self.folder)
            if self._claim(epoch):
                return
        raise self.too_busy()

    def commit(self, rows: pa.Table, position: int) -> bool:
        """Add rows in one atomic commit that brings the order to `position`.

        Returns:
            Whether they landed for sure. If not, another commit came first, or storage did not
            say; the handle knows now what is there.

        Raises:
            FencedError: If a newer driver has taken over.
            LedgerError: If storage failed; the next refresh tells whether the rows landed.
        """
        self.check_owner()
        if self._commits >= COMPACT_EVERY:
            self._compact()
        if self._write(rows, position, self.epoch):
            self._commits += 1
            return True
        self.refresh()
        self.check_owner()
        return False

    def check_owner(self) -> None:
        """Refuse to write with a handle that is a reader's, or a fenced driver's."""
        if self.epoch < 0:
            raise LedgerError(
                "this ledger was opened for reading", self.folder.uri, "open it with writer=True"
            )
        if self.stored_epoch > self.epoch:
            raise _fenced(self.stored_epoch, self.epoch, self.folder)

    def too_busy(self) -> LedgerError:
        """Return the error for a commit that lost every attempt to other writers."""
        return LedgerError(
            "every commit lost to other writers",
            self.folder.uri,
            "see which other processes write to this folder and stop them",
        )

    def _claim(self, epoch: int) -> bool:
        if not self._write(self._schema().empty_table(), self.position, epoch):
            return False
        self._own(epoch)
        return True

    def _own(self, epoch: int) -> None:
        self.epoch = epoch
        self._migrate()

    def _schema(self) -> pa.Schema:
        return pa.schema(self._delta.schema().to_arrow())

    def _load_transactions(self) -> None:
        epoch, position = (self._delta.transaction_version(i) for i in (EPOCH_ID, POSITION_ID))
        self.stored_epoch = -1 if epoch is None else int(epoch)
        self.position = -1 if position is None else int(position)

    def _write(self, rows: pa.Table, position: int, epoch: int) -> bool:
        with storage_errors(self.folder):
            try:
                write_deltalake(
                    self._delta, rows, mode="append", commit_properties=_properties(position, epoch)
                )
            except CommitFailedError:
                return False
            except (DeltaError, OSError) as error:
                if not self._may_ask_again(error):
                    raise
                return False
            self.position, self.stored_epoch = position, epoch
            self._sync()
        self._silences = 0
        return True

    def _may_ask_again(self, error: Exception) -> bool:
        """Tell a request to an object store that was cut off: whether it landed is to be seen."""
        self._silences += 1
        return self.folder.local is None and passes(error) and self._silences <= SILENCES

    def _compact(self) -> None:
        """Merge small files; if another commit comes first, leave it to the next time.

        delta-rs ignores transactions and conflicts here, and moves the handle past the commits of
        others. So the owner is checked before, to leave the table of a newer driver alone, and
        after, since the next write would not conflict any more.
        """
        self.refresh()
        self.check_owner()
        with storage_errors(self.folder):
            try:
                self._delta.optimize.compact()
                self._commits = 0
            except CommitFailedError:
                self._delta.update_incremental()
            self._load_transactions()
            self._sync()
        self.check_owner()

    def _migrate(self) -> None:
        with storage_errors(self.folder):
            for step in self._migrations:
                step.apply(self._delta)
                self._delta.alter.set_table_properties(
                    {VERSION_KEY: str(step.version)}, raise_if_not_exists=False
                )
        self._migrations = ()

    def _sync(self) -> None:
        if self._fsync and self.folder.local is not None:
            sync_commit(self.folder.local, self._delta.version())


def _properties(position: int, epoch: int) -> CommitProperties:
    # no retries inside delta-rs: after any other commit the owner is checked again first
    return CommitProperties(
        max_commit_retries=0,
        app_transactions=[Transaction(POSITION_ID, position), Transaction(EPOCH_ID, epoch)],
    )


def _fenced(newer: int, own: int, folder: Folder) -> FencedError:
    return FencedError(
        f"driver epoch {newer} took over the sweep from epoch {own}",
        folder.uri,
        "stop this process: the newer one goes on",
    )
