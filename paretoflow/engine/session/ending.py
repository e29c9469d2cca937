"""The end of a sweep's session: its reason, its success and its failures."""

from __future__ import annotations

from dataclasses import dataclass

from paretoflow.engine.state.failures import Streak
from paretoflow.engine.state.sweep_state import SweepState


@dataclass(frozen=True)
class Ending:
    """The end of a session.

    Args:
        reason: Reason for the end.
        finished: Number of finished runs, over all sessions; `failed` likewise.
        unfinished: Number of runs that were stopped and continue in the next session.
        failure: The last failure with the runs before it that failed alike; empty where none
            failed.
        again: Runs that failed alike until the sweep stopped; the next session repeats them.
    """

    reason: str
    finished: int
    failed: int
    unfinished: int
    failure: Streak
    again: tuple[str, ...]

    @classmethod
    def of(cls, state: SweepState, reason: str) -> Ending:
        """Return the end of the last session in a state."""
        failures = state.failures
        return cls(
            reason,
            state.finished,
            state.failed,
            len(state.open_runs()),
            failures.last,
            failures.again,
        )

    @property
    def trouble(self) -> str:
        """Return the reason why the command failed; empty if it succeeded despite failed runs."""
        if self.again:
            return f"stopped early: {self.reason}"
        if self.finished or self.unfinished:
            return ""
        return f"no run finished: {self.reason}"
