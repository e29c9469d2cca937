"""The durable ledger: two Delta tables at `<root>/ledger/`, one of events, one of fronts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from paretoflow.core.errors import (
    DamagedError,
    LedgerError,
    SchemaVersionError,
    SweepNotFoundError,
)
from paretoflow.ledger.fenced_table import COMMIT_ATTEMPTS, FencedTable
from paretoflow.ledger.fragments import read_fragments
from paretoflow.ledger.healing import make_whole, repair_log
from paretoflow.ledger.new_table import create_table, table_exists
from paretoflow.ledger.probe import require_put_if_absent
from paretoflow.ledger.rows import (
    events_to_table,
    fronts_to_table,
    in_order,
    numbered,
    table_to_events,
    table_to_fronts,
)
from paretoflow.ledger.tables import EVENTS_SCHEMA, FRONTS_SCHEMA, Event, FrontRecord
from paretoflow.storage import Folder, Root, as_folder
from paretoflow.storage.folder import require_sweep_path


class DeltaLedger:
    """A handle on the ledger of a sweep; see `Ledger` for the contract.

    It is not thread-safe.

    Args:
        root: Folder of the sweep.
        writer: Whether to take over as the driver; this fences the previous driver.
        create: Whether a writer creates the ledger if there is none.
        fsync: Whether an append returns only after it is flushed to the disk; without, a power cut
            may lose the last appends.

    Attributes:
        healed: Damage that the writer found and repaired, one sentence each.

    Raises:
        SweepNotFoundError: If there is no ledger and `create` is not set.
        FencedError: If another driver took over meanwhile.
        DamagedError: If rows are lost, and a writer could not recover them.
        LedgerError: If storage failed.
        StorageError: If storage refuses access, or does not support put-if-absent.
        SchemaVersionError: If a newer version of ParetoFlow wrote it.
    """

    def __init__(
        self, root: Root, *, writer: bool, create: bool = False, fsync: bool = True
    ) -> None:
        folder = as_folder(root).below("ledger")
        require_sweep_path(folder)
        if not table_exists(folder.below("events")):
            if not (writer and create):
                raise SweepNotFoundError(
                    "no sweep here: there is no ledger",
                    as_folder(root).uri,
                    "check the folder, or start a sweep with `paretoflow run JOB.yaml`",
                )
            _create(folder, fsync=fsync)
        self._events = _opened(folder.below("events"), "seq", EVENTS_SCHEMA, fsync, writer)
        self._fronts = _opened(folder.below("fronts"), "number", FRONTS_SCHEMA, fsync, writer)
        self._root = as_folder(root)
        self._epoch = -1
        self.healed: tuple[str, ...] = ()
        if writer:
            self._epoch = self._events.take_over(self._fronts.stored_epoch + 1)
            self._fronts.join(self._epoch)
            self._heal(self._fronts)
            self._ids: set[str] = set(self._heal(self._events, "event_id"))
            self._seq = self._events.position
            self._unsure = False
            self._unreported: list[Event] = []

    def _heal(self, table: FencedTable, column: str = "number") -> list[Any]:
        """Return a column of a table; repair the table first if it is damaged."""
        try:
            rows = table.read(columns=[column])
        except DamagedError as error:
            spare = self._spare if table is self._events else _no_spare
            self.healed += (make_whole(table, error, spare),)
            rows = table.read(columns=[column])
        values: list[Any] = rows[column].to_pylist()
        return values

    def _spare(self, known: set[str], lost: list[int]) -> pa.Table | None:
        """Return results from fragments under the missing numbers; None if there are too few."""
        told = read_fragments(self._root, known=known, damaged=lambda _: None)
        oldest = sorted(told, key=lambda event: event.time_s)[: len(lost)]
        if len(oldest) < len(lost):
            return None
        rows = [replace(e, seq=n, epoch=self._epoch) for e, n in zip(oldest, lost, strict=True)]
        return events_to_table(rows)

    @property
    def epoch(self) -> int:
        """Return the driver epoch of this handle; -1 for a reader."""
        return self._epoch

    def append(self, events: Sequence[Event]) -> list[Event]:
        """Commit events that are not stored yet; see `Ledger.append`.

        If an earlier call failed after its commit had landed, the next call returns its events too.
        """
        for _ in range(COMMIT_ATTEMPTS):
            self._events.check_owner()
            if self._unsure:
                self._catch_up()
            rows = events_to_table(numbered(events, self._ids, self._seq + 1, self._epoch))
            if rows.num_rows == 0:
                self._events.refresh()
                self._events.check_owner()
                return self._report([])
            # from here until the commit is confirmed, also after an interrupt, it may have landed
            self._unsure = True
            if self._events.commit(rows, self._seq + rows.num_rows):
                self._unsure = False
                return self._report(table_to_events(rows))
        raise self._events.too_busy()

    def ids(self) -> Collection[str]:
        """Return the ids of all events: for a writer from memory, for a reader from storage."""
        return self._ids if self._epoch >= 0 else self._stored_ids()

    def events(self, after: int = -1) -> list[Event]:
        """Return the events in storage with `seq` greater than `after`."""
        self._events.refresh()
        if after >= self._events.position:
            return []
        return in_order(table_to_events(self._events.read(after)))

    def record_front(self, front: FrontRecord) -> None:
        """Add an accepted front unless its number is already stored."""
        row = fronts_to_table([front])
        for _ in range(COMMIT_ATTEMPTS):
            self._fronts.refresh()
            self._fronts.check_owner()
            if front.number in self._fronts.read(columns=["number"])["number"].to_pylist():
                return
            if self._fronts.commit(row, max(self._fronts.position, front.number)):
                return
        raise self._fronts.too_busy()

    def fronts(self) -> list[FrontRecord]:
        """Return all accepted fronts, in order of their numbers."""
        self._fronts.refresh()
        return table_to_fronts(self._fronts.read())

    def _stored_ids(self) -> set[str]:
        return set(self._events.read(columns=["event_id"])["event_id"].to_pylist())

    def _catch_up(self) -> None:
        """Read the events in storage after a commit with an unknown result."""
        self._events.refresh()
        self._events.check_owner()
        landed = in_order(table_to_events(self._events.read(self._seq)))
        self._learn(landed)
        self._unreported += landed
        self._unsure = False

    def _report(self, added: list[Event]) -> list[Event]:
        self._learn(added)
        reported, self._unreported = self._unreported + added, []
        return reported

    def _learn(self, events: list[Event]) -> None:
        self._ids.update(e.event_id for e in events)
        self._seq = max([self._seq, *(e.seq for e in events)])


def _no_spare(known: set[str], lost: list[int]) -> None:
    """Return None: fragments hold only events."""


def _opened(
    folder: Folder, order: str, schema: pa.Schema, fsync: bool, writer: bool
) -> FencedTable:
    """Open a table; a writer repairs its log first if necessary."""
    try:
        return FencedTable(folder, order, schema, fsync=fsync)
    except SchemaVersionError:
        raise
    except LedgerError:
        if not (writer and repair_log(folder)):
            raise
    return FencedTable(folder, order, schema, fsync=fsync)


def _create(folder: Folder, *, fsync: bool) -> None:
    """Create both tables; events come last, since a ledger exists if its events table does."""
    require_put_if_absent(folder)
    create_table(folder.below("fronts"), FRONTS_SCHEMA, fsync=fsync)
    create_table(folder.below("events"), EVENTS_SCHEMA, fsync=fsync)
