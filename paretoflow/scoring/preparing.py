"""Whom the work before the first launch tells how far it is, and who may have it put down."""

from __future__ import annotations

from typing import Protocol


class Preparing(Protocol):
    """What the shared stage tells and asks."""

    def doing(self, what: str, done: int, of: int) -> None:
        """Give a sign of life: so many of all are done; 0 of 0 where nothing is counted."""
        ...

    def stopping(self) -> bool:
        """Return whether the work is to be put down."""
        ...


class _Nobody:
    def doing(self, what: str, done: int, of: int) -> None:
        """Do nothing."""

    def stopping(self) -> bool:
        """Return False."""
        return False


NOBODY: Preparing = _Nobody()
"""For work that nobody watches."""
