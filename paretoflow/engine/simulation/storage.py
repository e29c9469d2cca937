"""The storage of a simulation: results of its worker groups, and saved progress of each run."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from paretoflow.engine.simulation.fault_model import SavedProgress
from paretoflow.ledger.tables import Event, EventKind

_LAST = (EventKind.FINISHED, EventKind.PAUSED)


class SimulatedStorage:
    """The storage of a simulation; it outlives worker groups."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, Event]] = {}
        self._saved: dict[str, SavedProgress] = {}

    def write(self, events: Sequence[Event]) -> None:
        """Store a fragment; events that are stored already do not change."""
        for event in events:
            self._rows.setdefault(event.run_id, {}).setdefault(event.event_id, event)

    def of_run(self, run_id: str) -> list[Event]:
        """Return the events of one run's fragments, by attempt and step, with the end last."""
        return in_order(self._rows.get(run_id, {}).values())

    def save(self, run_id: str, reached: SavedProgress) -> None:
        """Store a run's progress for its next attempt, unless the stored progress is farther."""
        self._saved[run_id] = max(self.saved(run_id), reached)

    def saved(self, run_id: str) -> SavedProgress:
        """Return the saved progress of a run."""
        return self._saved.get(run_id, SavedProgress())


def in_order(rows: Collection[Event]) -> list[Event]:
    """Return events by run, attempt and step, with the end of an attempt last."""
    return sorted(rows, key=lambda e: (e.run_id, e.attempt, e.kind in _LAST, e.step))
