"""The storage of a simulation: fragments of its worker groups, and saved progress of each run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from paretoflow.engine.simulation.fault_model import SavedProgress
from paretoflow.ledger.tables import Event, EventKind

_LAST = (EventKind.FINISHED, EventKind.PAUSED)


class SimulatedStorage:
    """The storage of a simulation; it outlives worker groups and drivers."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, Event]] = {}
        self._saved: dict[str, SavedProgress] = {}

    def __iter__(self) -> Iterator[Event]:
        """Iterate over the events of all fragments."""
        return (row for rows in self._rows.values() for row in rows.values())

    def write(self, events: Sequence[Event]) -> None:
        """Store a fragment; events that are stored already do not change."""
        for event in events:
            self._rows.setdefault(event.run_id, {}).setdefault(event.event_id, event)

    def of_run(self, run_id: str) -> list[Event]:
        """Return the events of one run's fragments, by attempt and step, with the end last."""
        return _in_order(self._rows.get(run_id, {}).values())

    def beyond(self, known: Collection[str]) -> list[Event]:
        """Return the events of all fragments except known ones, by run, attempt and step."""
        return _in_order([row for row in self if row.event_id not in known])

    def save(self, run_id: str, reached: SavedProgress) -> None:
        """Store a run's progress for its next attempt, unless the stored progress is farther."""
        self._saved[run_id] = max(self.saved(run_id), reached)

    def saved(self, run_id: str) -> SavedProgress:
        """Return the saved progress of a run."""
        return self._saved.get(run_id, SavedProgress())


def _in_order(rows: Collection[Event]) -> list[Event]:
    return sorted(rows, key=lambda e: (e.run_id, e.attempt, e.kind in _LAST, e.step))
