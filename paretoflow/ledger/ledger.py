"""The contract of a ledger: an append-only record of a sweep, with one driver at a time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from paretoflow.ledger.tables import Event, FrontRecord


class Ledger(Protocol):
    """An append-only record of events and accepted fronts.

    Ownership: `open_ledger(root, writer=True)` takes a new epoch; the driver of an older epoch is
    fenced at its next append. A reader never blocks a writer. Appends are atomic: readers see all
    rows of a call, or none.
    """

    @property
    def epoch(self) -> int:
        """Return the driver epoch of this handle; -1 for a reader."""
        ...

    def append(self, events: Sequence[Event]) -> list[Event]:
        """Commit events that are not stored yet, in order; return them with `seq` and `epoch` set.

        An event whose id is already in the ledger is dropped, so a replay adds nothing.

        Raises:
            FencedError: If a newer driver has opened the sweep; nothing was added.
            LedgerError: If storage failed; nothing was added.
        """
        ...

    def ids(self) -> Collection[str]:
        """Return the ids of all events known to this handle; the returned object may grow."""
        ...

    def events(self, after: int = -1) -> list[Event]:
        """Return the stored events with `seq` greater than `after`, in order."""
        ...

    def record_front(self, front: FrontRecord) -> None:
        """Add an accepted front; drop it if its number is already stored.

        Raises:
            FencedError: If a newer driver has opened the sweep.
        """
        ...

    def fronts(self) -> list[FrontRecord]:
        """Return all accepted fronts, in order of their numbers."""
        ...
