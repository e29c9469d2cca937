"""Signs of life from work that was built before anybody knew whom it would be done for."""

from __future__ import annotations

from collections.abc import Callable


class Pulse:
    """Passes a beat on to whoever is to hear it now.

    Attributes:
        tells: Called at each beat.
    """

    def __init__(self) -> None:
        self.tells: Callable[[], None] = lambda: None

    def beat(self) -> None:
        """Give a sign of life."""
        self.tells()
