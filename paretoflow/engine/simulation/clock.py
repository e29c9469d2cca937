"""A virtual clock that jumps from event to event."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count


class VirtualTime:
    """A queue of planned events, in order of time; events of one instant in order of planning.

    Attributes:
        now_s: Virtual seconds.
    """

    def __init__(self, start_s: float) -> None:
        self.now_s = start_s
        self._queue: list[tuple[float, int, Callable[[], bool], Callable[[], None]]] = []
        self._numbers = count()

    def plan(
        self, in_s: float, act: Callable[[], None], unless: Callable[[], bool] = lambda: False
    ) -> None:
        """Plan a call in `in_s` seconds; it is skipped if `unless` is true by then."""
        heapq.heappush(self._queue, (self.now_s + in_s, next(self._numbers), unless, act))

    def run_to(self, until_s: float) -> None:
        """Run all events up to a time."""
        while self._queue and self._queue[0][0] <= until_s:
            at_s, _, unless, act = heapq.heappop(self._queue)
            if not unless():
                self.now_s = max(self.now_s, at_s)
                act()
        self.now_s = max(self.now_s, until_s)

    def next_s(self) -> float | None:
        """Return the time of the next event; None if no event is planned."""
        while self._queue and self._queue[0][2]():
            heapq.heappop(self._queue)
        return max(self.now_s, self._queue[0][0]) if self._queue else None
