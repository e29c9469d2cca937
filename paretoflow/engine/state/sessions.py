"""The working time of a sweep's drivers: each session by its own driver's clock."""

from __future__ import annotations

from dataclasses import dataclass

from paretoflow.engine.state.events import driver_time
from paretoflow.ledger.tables import Event


@dataclass
class Sessions:
    """The time of all sessions; clocks of two machines are never compared.

    A worker's row counts at the time when its driver received it. Ledgers of earlier versions do
    not hold that time; there only the driver's own rows count.

    Attributes:
        before_s: Seconds of the sessions before this one.
    """

    before_s: float = 0.0
    _opened_s: float = 0.0
    _passed_s: float = 0.0

    def elapsed_s(self) -> float:
        """Return the seconds of all sessions, up to the last event."""
        return self.before_s + self._passed_s

    def open(self, event: Event) -> None:
        """Begin another session."""
        self.before_s = self.elapsed_s()
        self._opened_s, self._passed_s = event.time_s, 0.0

    def take(self, event: Event) -> None:
        """Advance the time to an event."""
        at_s = driver_time(event)
        if at_s is not None:
            self._passed_s = max(self._passed_s, at_s - self._opened_s)
