"""The driver's loop: plan, launch, record. Every decision is committed before it is carried out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from paretoflow.core.errors import FencedError, LedgerError, StorageError, UserError
from paretoflow.core.ids import digest_of
from paretoflow.core.protocols import Proposer
from paretoflow.core.retry import RETRY_S, Patience, patiently
from paretoflow.core.status import RunStatus
from paretoflow.engine.loop import driver_rows as rows
from paretoflow.engine.loop.hooks import Hooks, StopRequestedError
from paretoflow.engine.loop.pausing import Rungs
from paretoflow.engine.loop.planner import Decision, decide, failing, first_launch, is_final
from paretoflow.engine.messages import Backend, Report
from paretoflow.engine.read.sweep import front_ids, front_record
from paretoflow.engine.state.events import recorded, seen, with_money
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.ledger.ledger import Ledger
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.spec.sweep import SweepSpec

TICK_S = 0.5
"""Longest wait for reports from the backend, in seconds."""
_T = TypeVar("_T")


class Driver:
    """Runs one sweep from the state in its ledger to the end of its budget."""

    def __init__(
        self,
        spec: SweepSpec,
        ledger: Ledger,
        backend: Backend,
        proposer: Proposer,
        hooks: Hooks | None = None,
    ) -> None:
        self._spec = spec
        self._ledger = ledger
        self._backend = backend
        self._proposer = proposer
        self._hooks = hooks or Hooks()
        self._rungs = Rungs(spec)
        self._spec_digest = digest_of(spec.model_dump(mode="json"))
        self._fronts = 0
        self._front_version = -1
        self._unsure = False
        self.state = SweepState()

    def run(self) -> str:
        """Work until the budget is used up; return the reason for the end.

        An error leaves the worker groups to the next driver, except where the user stopped the
        sweep.

        Raises:
            FencedError: If a newer driver has taken over the sweep.
            LedgerError: If storage failed for longer than `OUTAGE_S`.
            KeyboardInterrupt: After open runs were stopped and recorded.
        """
        settled = False
        try:
            self._fold_ledger()
            self._enter()
            self._prepare()
            reason = self._loop()
            settled = True
        except KeyboardInterrupt:
            settled = True
            self._put_down(self._hooks.interrupted())
            raise
        except StopRequestedError as asked:
            settled = True
            return self._put_down(str(asked))
        except UserError as error:
            settled = not isinstance(
                error, StorageError
            )  # the worker groups may reach the storage again
            if settled:
                self._backend.close()
            raise
        finally:
            if not settled:
                self._backend.detach()
        self._backend.close()
        self._commit([self._closed(reason)])
        return reason

    def _enter(self) -> None:
        """Take over an earlier driver's groups, then the results that they wrote meanwhile."""
        self._commit([self._opened()])
        adopted = self._backend.adopt(self._ledger.epoch)
        self._commit(self._countable(self._hooks.recover()))
        events = []
        for launch in adopted:
            run = self.state.runs.get(launch.run_id)
            attempt = (launch.run_id, launch.attempt)
            if (
                run is None
                or run.attempt != launch.attempt
                or attempt in self.state.failures.attempts
            ):
                self._backend.drop(launch)
            elif run.status is RunStatus.PENDING:
                events.append(rows.adopted(*attempt, self._ledger.epoch, self._backend.now()))
        self._commit(events)

    def _fold_ledger(self) -> None:
        self.state = SweepState()
        self.state.apply(self._ledger.events())
        fronts = self._ledger.fronts()
        told = bool(fronts) and (
            fronts[-1].snapshot_ids == front_ids(self.state)
            and fronts[-1].hypervolume == self.state.hypervolume
        )
        self._fronts = len(fronts)
        self._front_version = self.state.front_version if told else -1

    def _countable(self, told: Iterable[Event]) -> list[Event]:
        """Leave out ends of runs that are over, and runs that a power cut removed from the ledger.

        A worker group may report a result, directly or in a fragment, after the driver has given
        the attempt up.
        """
        runs, is_open, paused = self.state.runs, self.state.is_open, self.state.paused
        return [
            e
            for e in told
            if is_open(e.run_id)
            or e.run_id in paused
            or (e.kind is EventKind.EVALUATED and e.run_id in runs)
        ]

    def _opened(self) -> Event:
        return rows.opened(self._ledger.epoch, self._backend.now(), self._spec_digest)

    def _prepare(self) -> None:
        known = self.state.problem
        self._show("loading" if known else "preparing base, prompts and candidate answers")
        forget = known is not None and self._hooks.accept_change
        told = self._backend.prepare(replace(known, inputs=None) if known and forget else known)
        self._commit(recorded(told, known, self._ledger.epoch))
        self._accept_front()

    def _loop(self) -> str:
        settled = False
        while True:
            self._obey()
            decision = self._decide()
            over = bool(decision.done) and not self.state.open_runs()
            if (
                settled or over
            ):  # after the launches, so that no worker group waits while a front is written
                self._accept_front()
            if over:
                return decision.done
            settled = self._record(self._backend.poll(TICK_S))

    def _decide(self) -> Decision:
        began = time.perf_counter()
        aside = self._rungs.set_aside(self.state, self._backend)
        if aside:
            self._commit(aside)
        risen = self._rungs.risen(self.state)
        decision = decide(self._spec, self.state, self._proposer, self._backend.free(), risen)
        self._start(decision)
        if decision.proposals or decision.relaunches:
            self._hooks.decided(time.perf_counter() - began)
        return decision

    def _obey(self) -> None:
        asked = self._hooks.stop_asked()
        if asked:
            raise StopRequestedError(asked)

    def _start(self, decision: Decision) -> None:
        starts = [(x.run_id, x.attempt) for x in decision.relaunches]
        starts += [(run_id, 0) for run_id, _ in decision.proposals]
        now_s = self._backend.now()
        events = [rows.proposed(*named, now_s) for named in decision.proposals]
        events += [rows.started(*attempt, now_s) for attempt in starts]
        self._commit(events)
        new = [first_launch(self.state, *named) for named in decision.proposals]
        for launch in [*decision.relaunches, *new]:
            self._backend.launch(launch)

    def _record(self, reports: Sequence[Report]) -> bool:
        """Commit the reported events; return whether a run ended."""
        self._commit(self._countable(event for report in reports for event in report.events))
        ended = [report for report in reports if report.ended]
        # a run with a result is over, whatever its worker does afterwards; a run that ended without
        # a result has failed, so that no run waits forever
        self._commit([self._failed(r) for r in ended if self._is_running(r)])
        return bool(ended)

    def _is_running(self, report: Report) -> bool:
        """Check whether a report is about the run's current attempt; a late report is not."""
        run = self.state.runs.get(report.run_id)
        return run is not None and (run.attempt, run.status) == (report.attempt, RunStatus.RUNNING)

    def _failed(self, report: Report) -> Event:
        failure = rows.failure_of_report(report)
        now_s = self._backend.now()
        return rows.failed(
            report,
            now_s,
            spent_s=self.state.uncharged_s(report.run_id, now_s),
            ranks=self._spec.engine.resources.ranks,
            final=is_final(self._spec, self.state, report.run_id, failure),
        )

    def _put_down(self, reason: str) -> str:
        """Stop all attempts, record that, and return the reason."""
        self._backend.close()
        self._fold_ledger()  # the interrupt may have come between a commit and its folding,
        self._commit([self._opened()])  # or before the first commit: stopped runs are pending again
        self._commit(self._countable(self._hooks.recover()))
        now_s, epoch = self._backend.now(), self._ledger.epoch
        events = [rows.stopped(r.run_id, epoch, now_s) for r in self.state.open_runs()]
        events.append(self._closed(reason))
        self._commit(events)
        return reason

    def _closed(self, reason: str) -> Event:
        """Return the row that ends this session; the next one repeats runs that failed alike."""
        again = self.state.failures.streak.run_ids if failing(self._spec, self.state) else ()
        return rows.closed(self._ledger.epoch, self._backend.now(), reason, again)

    def _commit(self, events: Sequence[Event]) -> None:
        if events:
            stamped = [seen(event, self._backend.now()) for event in events]
            if self._hooks.judged is not None:
                stamped = with_money(stamped, self._hooks.judged())
            added = self._patiently(lambda: self._append(stamped))
            self.state.apply([e for e in added if e.seq > self.state.seq])
        self._show()

    def _append(self, events: Sequence[Event]) -> Sequence[Event]:
        if not self._unsure:
            self._unsure = True
            added = self._ledger.append(events)
        else:  # an earlier try may have been written although it failed
            self._ledger.append(events)
            added = self._ledger.events(after=self.state.seq)
            if added and added[-1].epoch > self._ledger.epoch:  # a newer driver may also have ended
                raise FencedError("a newer driver has taken over this sweep", "ledger/events")
        self._unsure = False
        return added

    def _show(self, note: str = "") -> None:
        self._hooks.watch(self.state, note)
        if self._hooks.board is not None and self._hooks.board.is_due(self._backend.now()):
            groups = self._backend.groups()
            self._hooks.board.update(groups, self._backend.now())
            self._hooks.groups(groups)

    def _patiently(self, write: Callable[[], _T]) -> _T:
        def told(error: Exception) -> None:
            self._hooks.watch(self.state, f"trying again in {RETRY_S:g} s: {error}")

        now, pause = self._backend.now, self._backend.pause
        return patiently(write, Patience((LedgerError,), now=now, pause=pause, told=told))

    def _accept_front(self) -> None:
        """Record a changed front, once all reports of this moment are committed."""
        version = self.state.front_version
        if version != self._front_version and self.state.evaluations:
            record = front_record(self.state, self._fronts, self._spec_digest, self._backend.now())
            self._patiently(lambda: self._ledger.record_front(record))
            self._front_version, self._fronts = version, self._fronts + 1
            self._hooks.front(record)
