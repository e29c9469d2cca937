"""The ledger in memory: the same contract as the durable one, for tests and simulations."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence

from paretoflow.core.errors import FencedError, LedgerError
from paretoflow.ledger.rows import (
    events_to_table,
    fronts_to_table,
    numbered,
    table_to_events,
    table_to_fronts,
)
from paretoflow.ledger.tables import Event, FrontRecord


class MemoryStore:
    """Content shared by the handles on one ledger in memory, as a folder is for a durable one."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.ids: set[str] = set()
        self.fronts: dict[int, FrontRecord] = {}
        self.epoch = -1
        self.lock = threading.Lock()


class MemoryLedger:
    """A handle on a store in memory; see `Ledger` for the contract.

    Args:
        store: Shared with the other handles on the same ledger; None makes a new one.
        writer: Whether to take over as the driver.
    """

    def __init__(self, store: MemoryStore | None = None, *, writer: bool = True) -> None:
        self._store = store if store is not None else MemoryStore()
        self._epoch = -1
        if writer:
            with self._store.lock:
                self._store.epoch += 1
                self._epoch = self._store.epoch

    @property
    def epoch(self) -> int:
        """Return the driver epoch of this handle; -1 for a reader."""
        return self._epoch

    def append(self, events: Sequence[Event]) -> list[Event]:
        """Commit events that are not stored yet; see `Ledger.append`."""
        store = self._store
        with store.lock:
            self._check_owner()
            rows = events_to_table(numbered(events, store.ids, len(store.events), self._epoch))
            added = table_to_events(rows)
            store.events.extend(added)
            store.ids.update(e.event_id for e in added)
        return added

    def ids(self) -> Collection[str]:
        """Return the ids of all events."""
        return self._store.ids

    def events(self, after: int = -1) -> list[Event]:
        """Return the events with `seq` greater than `after`."""
        with self._store.lock:
            return self._store.events[max(after + 1, 0) :]

    def record_front(self, front: FrontRecord) -> None:
        """Add an accepted front unless its number is already stored."""
        (stored,) = table_to_fronts(fronts_to_table([front]))
        with self._store.lock:
            self._check_owner()
            self._store.fronts.setdefault(front.number, stored)

    def fronts(self) -> list[FrontRecord]:
        """Return all accepted fronts, in order of their numbers."""
        with self._store.lock:
            return [self._store.fronts[number] for number in sorted(self._store.fronts)]

    def _check_owner(self) -> None:
        if self._epoch < 0:
            raise LedgerError(
                "this ledger was opened for reading",
                hint="open it with writer=True",
                code="ledger-read-only",
            )
        if self._store.epoch != self._epoch:
            raise FencedError(
                f"driver epoch {self._store.epoch} took over the sweep from epoch {self._epoch}",
                hint="stop this process: the newer driver goes on",
            )
