"""One Delta table with one writer at a time.

Every commit has two application transactions under ids that are the same for every driver: the
position reached and the driver's epoch. delta-rs refuses a commit when another one with the same
ids came after the table version it is based on, so commits of two drivers never both land. It does
not check that the numbers grow: a handle that has read the newest version may commit anything. That
check is made here, after every refresh.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable

import pyarrow as pa
from deltalake import CommitProperties, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction

from paretoflow.core.errors import FencedError, LedgerError, StorageError
from paretoflow.ledger.data_files import data_file, span_of
from paretoflow.ledger.dead_files import remove_dead_files, table_files
from paretoflow.ledger.delta_log import ADDS_KEY, REMOVES_KEY, storage_errors, sync_commit
from paretoflow.ledger.delta_reader import EPOCH_ID, POSITION_ID, DeltaReader
from paretoflow.ledger.migrations import pending_migrations
from paretoflow.ledger.new_table import VERSION_KEY
from paretoflow.storage import Folder
from paretoflow.storage.patience import disk_error, passes

COMMIT_ATTEMPTS = 20
TAKEOVER_ATTEMPTS = 200
"""Number of commits in a row that a new driver may lose to the driver that it takes over from."""
SILENCES = 3
"""Number of commits in a row that an object store may leave unanswered; the driver continues."""
COMPACT_EVERY = 200
"""Number of commits between compactions: reading costs about a millisecond per live file."""


class FencedTable(DeltaReader):
    """A handle on a table, for reading until `take_over` makes it a writer.

    Args:
        folder: Folder of the table.
        order: Name of its integer column that counts rows in order of commit.
        schema: Columns of the returned rows.
        fsync: Whether a commit returns only after it is flushed to a local disk; an object store
            always confirms durable writes.

    Raises:
        LedgerError: If the table cannot be opened.
        SchemaVersionError: If a newer version of ParetoFlow wrote it.
    """

    def __init__(self, folder: Folder, order: str, schema: pa.Schema, *, fsync: bool) -> None:
        super().__init__(folder, order, schema)
        self.epoch = -1
        self._fsync = fsync
        self._silences = 0
        with storage_errors(folder):
            self._commits = len(self._delta.file_uris())
        self._migrations = pending_migrations(self._found_version, folder.uri)

    def take_over(self, at_least: int = 0) -> int:
        """Become the table's only writer, in a separate commit.

        Args:
            at_least: Smallest epoch to take.

        Returns:
            The new epoch: the last one plus 1, but at least `at_least`.
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
            FencedError: If a newer driver has taken over already.
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
        """Add rows in one atomic commit with `position` as the number of the last row.

        Returns:
            True if the commit landed. If False, another commit came first, or storage did not
            answer; the handle is refreshed then.

        Raises:
            FencedError: If a newer driver has taken over.
            LedgerError: If storage failed; the next refresh shows whether the rows landed.
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
        """Refuse to write with the handle of a reader or of a fenced driver."""
        if self.epoch < 0:
            raise LedgerError(
                "this ledger was opened for reading",
                self.folder.uri,
                "open it with writer=True",
                code="ledger-read-only",
            )
        if self.stored_epoch > self.epoch:
            raise _fenced(self.stored_epoch, self.epoch, self.folder)

    def too_busy(self) -> LedgerError | StorageError:
        """Return the error for a commit that lost every attempt to other commits."""
        if self.folder.local is not None:
            entry = self.folder.local / "_delta_log" / f"{self._delta.version() + 1:020d}.json"
            if entry.is_dir():  # no writer makes one
                return disk_error(OSError(errno.EISDIR, os.strerror(errno.EISDIR)), str(entry))
        return LedgerError(
            "every commit lost to other writers",
            self.folder.uri,
            "see which other processes write to this folder and stop them",
        )

    def _claim(self, epoch: int) -> bool:
        if not self._write(None, self.position, epoch):
            return False
        self._own(epoch)
        return True

    def _own(self, epoch: int) -> None:
        self.epoch = epoch
        self._migrate()

    def rewrite(self, rows: pa.Table, position: int) -> bool:
        """Replace all rows by these in one commit; return whether it landed.

        Raises:
            FencedError: If a newer driver has taken over.
        """
        self.check_owner()
        file = data_file(rows, self.order, self.epoch, merged=True) if rows.num_rows else None
        live = self.names()
        if file is not None and live == [file[0]]:  # only the position has to be corrected
            return self._write(None, position, self.epoch)
        with storage_errors(self.folder):
            landed = self._land(lambda: self._add(file, position, self.epoch, len(live)))
        self._commits = 1 if landed else self._commits
        return landed

    def _write(self, rows: pa.Table | None, position: int, epoch: int) -> bool:
        with storage_errors(self.folder):
            if self.folder.local is None:
                landed = self._land(lambda: self._add_remotely(rows, position, epoch))
            else:
                file = None if rows is None else data_file(rows, self.order, epoch)
                landed = self._land(lambda: self._add(file, position, epoch))
        if landed:
            self._silences = 0
        return landed

    def _land(self, commit: Callable[[], None]) -> bool:
        """Make a commit; return whether it certainly landed."""
        try:
            commit()
        except CommitFailedError:
            return False
        except (DeltaError, OSError) as error:
            if not self._may_ask_again(error):
                raise
            return False
        self._sync()
        return True

    def _add_remotely(self, rows: pa.Table | None, position: int, epoch: int) -> None:
        """Commit rows; delta-rs writes the data file, in fewer requests, checked by the store."""
        table = self.rows_schema.empty_table() if rows is None else rows
        properties = _properties(position, epoch)
        write_deltalake(self._delta, table, mode="append", commit_properties=properties)
        self.position, self.stored_epoch = position, epoch

    def _add(
        self, file: tuple[str, bytes] | None, position: int, epoch: int, replacing: int = 0
    ) -> None:
        """Write a data file, named by the digest of its content, then the commit that names it."""
        actions = [self._put(*file)] if file else []
        mode = "overwrite" if replacing else "append"
        counts = {ADDS_KEY: str(len(actions)), REMOVES_KEY: str(replacing)}
        properties = _properties(position, epoch, counts)
        schema = self._delta.schema()
        self._delta.create_write_transaction(actions, mode, schema, commit_properties=properties)
        # this may also read commits of a newer driver: then the owner is another one
        self._delta.update_incremental()
        self._load_transactions()

    def _put(self, name: str, content: bytes) -> AddAction:
        local, span = self.folder.local, span_of(name)
        assert span is not None
        if local is None:
            self.folder.write(name, content)
        else:  # no commit names it yet: flushed with the commit
            path = local / name
            try:
                path.write_bytes(content)
            except OSError:
                path.unlink(missing_ok=True)
                raise
        bounds = {"minValues": {self.order: span.first}, "maxValues": {self.order: span.last}}
        stats = json.dumps({"numRecords": span.last - span.first + 1, **bounds, "nullCount": {}})
        return AddAction(name, len(content), {}, int(1000 * time.time()), True, stats)

    def _may_ask_again(self, error: Exception) -> bool:
        """Return whether a request to an object store was cut off; it may have landed or not."""
        self._silences += 1
        return self.folder.local is None and passes(error) and self._silences <= SILENCES

    def _compact(self) -> None:
        """Merge all files into one; if another commit comes first, skip until the next time.

        The merged files stay until the next compaction, for readers that are about to open them.
        Files that were not part of the table before this compaction have no readers and are
        removed.
        """
        self.refresh()
        self.check_owner()
        with storage_errors(self.folder):
            # listed before the commit: if it lands, no newer driver had written before the listing
            there, live = table_files(self.folder), set(self.names())
        if self.rewrite(self.read(), self.position):
            self.check_owner()
            remove_dead_files(self.folder, [name for name in there if name not in live])
        else:
            self.refresh()
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


def _properties(
    position: int, epoch: int, counts: dict[str, str] | None = None
) -> CommitProperties:
    # no retries inside delta-rs: after another commit the owner has to be checked again
    return CommitProperties(
        max_commit_retries=0,
        custom_metadata=counts,
        app_transactions=[Transaction(POSITION_ID, position), Transaction(EPOCH_ID, epoch)],
    )


def _fenced(newer: int, own: int, folder: Folder) -> FencedError:
    return FencedError(
        f"driver epoch {newer} took over the sweep from epoch {own}",
        folder.uri,
        "stop this process: the newer driver goes on",
    )
