"""Protocol for progress and interruption of the work before the first launch."""

from __future__ import annotations

from typing import Protocol


class Preparing(Protocol):
    """Callbacks of the shared stage."""

    def doing(self, what: str, done: int, of: int) -> None:
        """Report progress: `done` of `of`; 0 of 0 where nothing is counted."""
        ...

    def stopping(self) -> bool:
        """Return whether the work should stop."""
        ...


class _Nobody:
    def doing(self, what: str, done: int, of: int) -> None:
        """Do nothing."""

    def stopping(self) -> bool:
        """Return False."""
        return False


NOBODY: Preparing = _Nobody()
"""For work without an observer."""
