"""The state of a sweep, folded from its events one by one; it depends only on the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from paretoflow.core.cost import Cost
from paretoflow.core.data_facts import DataFacts
from paretoflow.core.errors import LedgerError
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.inputs import Inputs
from paretoflow.core.status import Boundary, RunStatus
from paretoflow.core.values import (
    BASE_RUN_ID,
    FloatArray,
    History,
    IntArray,
    Problem,
    Proposal,
    RunRecord,
)
from paretoflow.core.views import InputChange
from paretoflow.engine.state.events import (
    MONEY,
    driver_time,
    evaluation_of,
    problem_from,
    uncharged_share,
)
from paretoflow.engine.state.failures import Failures
from paretoflow.engine.state.measured_rows import MeasuredRows
from paretoflow.engine.state.reevaluation import Reevaluations
from paretoflow.engine.state.runs import ENDED, Runs
from paretoflow.engine.state.sessions import Sessions
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.proposers.outlook import GainEstimate, expected_gain


@dataclass
class SweepState:
    """The state of a sweep, folded from its events.

    Attributes:
        failures: Failed attempts and runs, with the streak of equal failures.
        evaluations: One row for each evaluated checkpoint, in the order of the ledger.
        curve: (runs finished, device seconds, hypervolume) after each finished run.
        resumed_at: Number of evaluations when a paused run continued, by run.
        gained: Hypervolume that new points added, after the base and each finished run with points.
        again: The runs that evaluate a checkpoint again.
        changes: Changes of the inputs that scores depend on, with which the sweep continued.
        sessions: Working time of the sweep's drivers.
        data_facts: Facts about the rows of the data.
    """

    failures: Failures = field(default_factory=Failures)
    evaluations: list[Evaluation] = field(default_factory=list)
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    resumed_at: dict[str, int] = field(default_factory=dict)
    gained: list[float] = field(default_factory=list)
    again: Reevaluations = field(default_factory=Reevaluations)
    data_facts: DataFacts = field(default_factory=DataFacts)
    changes: list[InputChange] = field(default_factory=list)
    cost: Cost = field(default_factory=Cost)
    judged: float = 0.0
    sessions: Sessions = field(default_factory=Sessions)
    seq: int = -1
    finished: int = 0
    failed: int = 0
    closed: str = ""
    opened_at: float | None = None
    started_at: dict[str, float] = field(default_factory=dict)
    _runs: Runs = field(default_factory=Runs)
    _charged: dict[tuple[str, int], float] = field(default_factory=dict)
    _row_of: dict[str, int] = field(default_factory=dict)
    _measured: MeasuredRows | None = None
    _outlook: tuple[int, GainEstimate | None] = (-1, None)

    @property
    def runs(self) -> dict[str, RunRecord]:
        """Return every run by id, in the order in which they were proposed."""
        return self._runs.records

    @property
    def paused(self) -> set[str]:
        """Return the ids of the runs that are paused."""
        return self._runs.paused

    @property
    def problem(self) -> Problem | None:
        """Return the frozen objectives; None before calibration."""
        return self._measured.problem if self._measured else None

    @property
    def hypervolume(self) -> float:
        """Return the hypervolume of the front, 0.0 before the first evaluation."""
        return self._measured.hypervolume if self._measured else 0.0

    @property
    def front_version(self) -> int:
        """Return a number that grows whenever the front changes."""
        return self._measured.front_version if self._measured else 0

    @property
    def front_indices(self) -> IntArray:
        """Return the rows of `evaluations` that are on the front."""
        return self._measured.archive.indices if self._measured else np.empty(0, dtype=np.int64)

    @property
    def front_gains(self) -> FloatArray:
        """Return the oriented gains of the front, shape (k, m); k is 0 before calibration."""
        return self._measured.archive.gains if self._measured else np.empty((0, 0))

    @property
    def front_size(self) -> int:
        """Return the number of points on the front."""
        return len(self.front_indices)

    def open_runs(self) -> list[RunRecord]:
        """Return the runs that are neither finished, failed nor paused, oldest first."""
        return self._runs.open()

    def waiting_runs(self) -> list[RunRecord]:
        """Return the open runs that no worker group is working on, oldest first."""
        return self._runs.waiting()

    def open_proposals(self) -> list[Proposal]:
        """Return the proposals of the open runs, oldest first."""
        return self._runs.open_proposals()

    def is_open(self, run_id: str) -> bool:
        """Check whether a run was proposed and is neither finished, failed nor paused."""
        return self._runs.is_open(run_id)

    def uncharged_s(self, run_id: str, now_s: float) -> float:
        """Return the seconds since the run's attempt started that no evaluation has charged."""
        charged = self._charged.get((run_id, self.runs[run_id].attempt), 0.0)
        return max(0.0, now_s - self.started_at.get(run_id, now_s) - charged)

    def outlook(self) -> GainEstimate | None:
        """Return the estimated gain of another run; None while it is unknown."""
        if self._outlook[0] != self.seq and self._measured is not None:
            self._outlook = self.seq, expected_gain(self.history(), self.open_proposals())
        return self._outlook[1]

    def row_of(self, snapshot_id: str) -> Evaluation:
        """Return the evaluation of a checkpoint."""
        return self.evaluations[self._row_of[snapshot_id]]

    def apply(self, events: Iterable[Event]) -> None:
        """Fold events in, in the order of the ledger."""
        for event in events:
            self.seq = max(self.seq, event.seq)
            if self.opened_at is None:
                self.opened_at = event.time_s
            self.judged = max(self.judged, float(event.payload.get(MONEY, 0.0)))
            _HANDLERS[event.kind](self, event)
            self.sessions.take(event)

    def elapsed_s(self) -> float:
        """Return the working seconds of all sessions, up to the last event."""
        return self.sessions.elapsed_s()

    def _opened(self, event: Event) -> None:
        self.sessions.open(event)
        self.closed = ""
        for run_id in self.failures.opened():  # unless a late result has arrived
            if self.runs[run_id].status is RunStatus.FAILED:
                self.failed -= 1
                self._runs.reopen(run_id)
        for run in self.open_runs():  # their driver is gone: the new driver starts them again
            self._runs.update(replace(run, status=RunStatus.PENDING))

    def _calibrated(self, event: Event) -> None:
        self._measured = MeasuredRows(problem_from(event.payload))
        self.data_facts = DataFacts.from_dict(event.payload.get("data_facts"))

    def _noted(self, event: Event) -> None:
        if self._measured is not None:
            inputs = Inputs.from_dict(event.payload.get("inputs"))
            self._measured.problem = replace(self._measured.problem, inputs=inputs)
        stops, told = (tuple(event.payload.get(key, ())) for key in ("accepted", "noted"))
        if stops or told:
            when = driver_time(event) or event.time_s
            self.changes.append(InputChange(when, len(self.evaluations), stops, told))

    def _proposed(self, event: Event) -> None:
        proposal = Proposal.from_dict(event.payload["proposal"])
        self._runs.propose(event.run_id, proposal)
        self.again.ask(event.run_id, proposal)

    def _started(self, event: Event) -> None:
        if event.run_id in self.paused:
            self.resumed_at[event.run_id] = len(self.evaluations)
            self._runs.reopen(event.run_id)
        self._runs.move(event, RunStatus.RUNNING, attempt=event.attempt)
        self.started_at[event.run_id] = event.time_s

    def _adopted(self, event: Event) -> None:
        self._runs.move(event, RunStatus.RUNNING, attempt=event.attempt)

    def _finished(self, event: Event) -> None:
        self._runs.move(event, RunStatus.FINISHED)
        self._charge(event)
        self.failures.ended_well()
        self.finished += 1
        self._plot(event.run_id)

    def _plot(self, run_id: str) -> None:
        self.curve.append((self.finished, self.cost.device_s, self.hypervolume))
        if run_id not in self.again and self._measured:
            self.gained.append(self.hypervolume - self._measured.corrected)

    def _failed(self, event: Event) -> None:
        final = bool(event.payload["final"])
        self.failed += final
        status = RunStatus.FAILED if final else RunStatus.PENDING
        self._runs.move(event, status, boundary=Boundary(event.boundary), message=event.message)
        self._charge(event)
        self.failures.failed(event, final=final)

    def _paused(self, event: Event) -> None:
        run = self.runs.get(event.run_id)
        # a fragment can arrive after the run has ended, or has continued with another attempt
        if run is None or not (run.status in ENDED or event.attempt < run.attempt):
            self._runs.move(event, RunStatus.PAUSED, attempt=event.attempt, message=event.message)
            self.failures.ended_well()
            self.started_at.setdefault(event.run_id, event.time_s)
        self._charge(event)

    def _stopped(self, event: Event) -> None:
        self._runs.move(event, RunStatus.STOPPED)

    def _closed(self, event: Event) -> None:
        self.closed = event.message
        self.failures.closed(event)

    def _evaluated(self, event: Event) -> None:
        measured = self._measured
        if measured is None:
            raise LedgerError(
                f"event {event.event_id} has scores, but no calibration comes before it",
                "ledger/events",
                code="ledger-inconsistent",
            )
        row = evaluation_of(event, self.opened_at or event.time_s)
        self._charge(event)
        attempt = (event.run_id, event.attempt)
        self._charged[attempt] = self._charged.get(attempt, 0.0) + event.wall_s
        if event.run_id in self.again:
            place = self.again.pool(row, self.evaluations, self._row_of)
            if place is not None:
                measured.replace(self.evaluations[place], place)
            return
        self._row_of[row.snapshot_id] = len(self.evaluations)
        measured.add(row, self._runs.ordinal(event.run_id))
        self.evaluations.append(row)
        if event.run_id == BASE_RUN_ID:
            self._plot(BASE_RUN_ID)

    def _charge(self, event: Event) -> None:
        if not (event.wall_s or event.device_s or event.tokens):
            return
        share = uncharged_share(event, self.failures.attempts.get((event.run_id, event.attempt)))
        cost = Cost(event.wall_s * share, event.device_s * share, event.tokens)
        self.cost = self.cost + cost
        run = self.runs.get(event.run_id)
        if run is not None:
            self._runs.update(replace(run, cost=run.cost + cost))

    def history(self) -> History:
        """Return the history for a proposer.

        Raises:
            LedgerError: If the problem has not been calibrated.
        """
        if self._measured is None:
            raise LedgerError("the sweep has no calibration yet", "ledger/events")
        return self._measured.history(self._runs.ended, len(self.runs))


_HANDLERS = {
    EventKind.OPENED: SweepState._opened,
    EventKind.CALIBRATED: SweepState._calibrated,
    EventKind.INPUTS: SweepState._noted,
    EventKind.PROPOSED: SweepState._proposed,
    EventKind.STARTED: SweepState._started,
    EventKind.ADOPTED: SweepState._adopted,
    EventKind.EVALUATED: SweepState._evaluated,
    EventKind.FINISHED: SweepState._finished,
    EventKind.FAILED: SweepState._failed,
    EventKind.STOPPED: SweepState._stopped,
    EventKind.PAUSED: SweepState._paused,
    EventKind.CLOSED: SweepState._closed,
}
