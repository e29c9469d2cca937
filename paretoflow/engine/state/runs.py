"""The runs of a sweep, by id and by status; updated run by run."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace

import numpy as np

from paretoflow.core.errors import LedgerError
from paretoflow.core.status import TRANSITIONS, RunStatus
from paretoflow.core.values import IntArray, Proposal, RunRecord
from paretoflow.ledger.tables import Event

NOT_ENDED = -2
"""Index of a run that has not ended."""
ENDED = (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.PAUSED)


class EndedRuns:
    """The records of ended runs, with the index of each proposed run among them."""

    def __init__(self) -> None:
        self._ordinals: list[int] = []
        self._records: list[RunRecord] = []
        self._flags = bytearray()

    def put(self, ordinal: int, record: RunRecord) -> None:
        """Add a run that has ended, or replace its record.

        Args:
            ordinal: Number of runs proposed before it.
            record: The current record of the run.
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
        """Remove a run that continues."""
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


class Runs:
    """Every run of a sweep.

    Attributes:
        records: The runs by id, in the order in which they were proposed.
        paused: The ids of the paused runs.
        ended: The runs that are finished, failed or paused.
    """

    def __init__(self) -> None:
        self.records: dict[str, RunRecord] = {}
        self.paused: set[str] = set()
        self.ended = EndedRuns()
        self._open: dict[str, Proposal] = {}
        self._waiting: set[str] = set()
        self._ordinals: dict[str, int] = {}

    def propose(self, run_id: str, proposal: Proposal) -> None:
        """Add a run."""
        self._ordinals[run_id] = len(self.records)
        self._open[run_id] = proposal
        self.update(RunRecord(run_id, proposal, RunStatus.PENDING))

    def ordinal(self, run_id: str) -> int:
        """Return the number of runs proposed before a run; -1 for the base."""
        return self._ordinals.get(run_id, -1)

    def open(self) -> list[RunRecord]:
        """Return the runs that are neither finished, failed nor paused, oldest first."""
        return [self.records[run_id] for run_id in self._open]

    def waiting(self) -> list[RunRecord]:
        """Return the open runs that no worker group is working on, oldest first."""
        return [self.records[r] for r in sorted(self._waiting, key=self._ordinals.__getitem__)]

    def open_proposals(self) -> list[Proposal]:
        """Return the proposals of the open runs, oldest first."""
        return list(self._open.values())

    def is_open(self, run_id: str) -> bool:
        """Check whether a run was proposed and is neither finished, failed nor paused."""
        return run_id in self._open

    def move(self, event: Event, status: RunStatus, **changes: object) -> None:
        """Change the status of an event's run, and the named fields.

        Raises:
            LedgerError: If there is no such run, or the change of status is not legal.
        """
        run = self.records.get(event.run_id)
        if run is None:
            raise LedgerError(
                f"event {event.event_id} is about a run that was never proposed",
                "ledger/events",
                code="ledger-inconsistent",
            )
        if status is not run.status and status not in TRANSITIONS[run.status]:
            raise LedgerError(
                f"run {run.run_id} cannot go from {run.status} to {status}",
                "ledger/events",
                code="ledger-inconsistent",
            )
        if status in ENDED:
            self._open.pop(event.run_id, None)  # a paused run may finish late
        self.update(replace(run, status=status, **changes))  # type: ignore[arg-type]

    def reopen(self, run_id: str) -> None:
        """Count an ended run as open again, at its old place among the open runs."""
        self.ended.take(self._ordinals[run_id])
        run = self.records[run_id]
        self.records[run_id] = replace(run, message="")
        opened = {**self._open, run_id: run.proposal}
        self._open = dict(sorted(opened.items(), key=lambda each: self._ordinals[each[0]]))

    def update(self, run: RunRecord) -> None:
        """Replace the record of a run."""
        self.records[run.run_id] = run
        for those, status in ((self._waiting, RunStatus.PENDING), (self.paused, RunStatus.PAUSED)):
            (those.add if run.status is status else those.discard)(run.run_id)
        if run.status in ENDED:
            self.ended.put(self._ordinals[run.run_id], run)
