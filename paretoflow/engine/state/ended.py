"""Which runs have ended, in the order in which they were proposed: kept up to date run by run."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np

from paretoflow.core.values import IntArray, RunRecord

NOT_ENDED = -2
"""Index of a run that has not ended."""


class EndedRuns:
    """The records of ended runs, and where each proposed run stands among them."""

    def __init__(self) -> None:
        self._ordinals: list[int] = []
        self._records: list[RunRecord] = []
        self._flags = bytearray()

    def put(self, ordinal: int, record: RunRecord) -> None:
        """Add a run that has ended, or replace its record.

        Args:
            ordinal: How many runs were proposed before it.
            record: The run as it is now.
        """
        place = bisect_left(self._ordinals, ordinal)
        if place < len(self._ordinals) and self._ordinals[place] == ordinal:
            self._records[place] = record
            return
        self._ordinals.insert(place, ordinal)
        self._records.insert(place, record)
        self._flags.extend(bytes(max(0, ordinal + 1 - len(self._flags))))
        self._flags[ordinal] = 1

    def take(self, ordinal: int) -> None:
        """Remove a run that goes on after all."""
        place = bisect_left(self._ordinals, ordinal)
        del self._ordinals[place], self._records[place]
        self._flags[ordinal] = 0

    @property
    def records(self) -> tuple[RunRecord, ...]:
        """Return the ended runs, in the order in which they were proposed."""
        return tuple(self._records)

    def places(self, proposed: int) -> IntArray:
        """Return each proposed run's index in `records`, shape (proposed,); -2 if not ended."""
        ended = np.zeros(proposed, dtype=np.bool_)
        ended[: len(self._flags)] = np.frombuffer(self._flags, dtype=np.bool_)
        return np.where(ended, np.cumsum(ended) - 1, NOT_ENDED).astype(np.int64)
