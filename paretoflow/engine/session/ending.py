"""How a session of a sweep ended: whether it did what it was asked for, and what failed."""

from __future__ import annotations

from dataclasses import dataclass

from paretoflow.engine.state.failures import Streak
from paretoflow.engine.state.sweep_state import SweepState


@dataclass(frozen=True)
class Ending:
    """The end of a session.

    Args:
        reason: Why it ended.
        finished: Runs that have finished, over all sessions; `failed` likewise.
        unfinished: Runs that were put down and go on in the next session.
        failure: What failed last, and how many runs before it alike; empty where nothing did.
        again: Runs that failed alike until the sweep stopped for it; the next session makes them
            again.
    """

    reason: str
    finished: int
    failed: int
    unfinished: int
    failure: Streak
    again: tuple[str, ...]

    @classmethod
    def of(cls, state: SweepState, reason: str) -> Ending:
        """Return the end of the session that a state has seen last."""
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
        """Return why the command failed; empty where it did not, whatever single runs did."""
        if self.again:
            return f"stopped early: {self.reason}"
        if self.finished or self.unfinished:
            return ""
        return f"no run finished: {self.reason}"
