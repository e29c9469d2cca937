"""The loop: plan, launch, record. Every decision is committed before it is acted on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from paretoflow import __version__
from paretoflow.core.ids import digest_of
from paretoflow.core.protocols import Proposer
from paretoflow.core.status import Boundary, RunStatus
from paretoflow.engine.backend import Backend, Failure, Launch, Report
from paretoflow.engine.planner import Decision, decide, parent_path
from paretoflow.engine.state import SweepState
from paretoflow.engine.sweep import front_record
from paretoflow.ledger.ledger import Ledger
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.spec.sweep import SweepSpec

TICK_S = 0.5
"""Longest wait for news from the backend."""


class Driver:
    """Runs one sweep from where its ledger stands to the end of its budget.

    Args:
        watch: Called after every change of the state, for progress displays; must not raise.
    """

    def __init__(
        self,
        spec: SweepSpec,
        ledger: Ledger,
        backend: Backend,
        proposer: Proposer,
        watch: Callable[[SweepState, str], None] = lambda state, note: None,
    ) -> None:
        self._spec = spec
        self._ledger = ledger
        self._backend = backend
        self._proposer = proposer
        self._watch = watch
        self._spec_digest = digest_of(spec.model_dump(mode="json"))
        self._fronts = 0
        self._front_version = -1
        self.state = SweepState()

    def run(self, recovered: Sequence[Event] = ()) -> str:
        """Work until the budget is used up; return why it ended.

        Args:
            recovered: Events found in fragments that an earlier driver did not fold in.

        Raises:
            FencedError: If a newer driver has taken over the sweep.
            KeyboardInterrupt: After open runs were put down and recorded.
        """
        self.state.apply(self._ledger.events())
        self._fronts, self._front_version = len(self._ledger.fronts()), self.state.front_version
        self._commit([self._opened(), *recovered])
        try:
            self._prepare()
            reason = self._loop()
        except KeyboardInterrupt:
            self._put_down("stopped by the user")
            raise
        finally:
            self._backend.close()
        self._commit(
            [self._event(EventKind.CLOSED, f"closed:{self._ledger.epoch}", message=reason)]
        )
        return reason

    def _opened(self) -> Event:
        payload = {"code_version": __version__, "spec_digest": self._spec_digest}
        return self._event(EventKind.OPENED, f"opened:{self._ledger.epoch}", payload=payload)

    def _prepare(self) -> None:
        known = self.state.problem
        self._watch(
            self.state, "loading" if known else "preparing base, prompts and candidate answers"
        )
        self._commit(self._backend.prepare(known))
        self._accept_front()

    def _loop(self) -> str:
        while True:
            decision = decide(self._spec, self.state, self._proposer, self._backend.free())
            self._start(decision)
            if decision.done and not self.state.open_runs():
                return decision.done
            self._record(self._backend.poll(TICK_S))

    def _start(self, decision: Decision) -> None:
        launches = list(decision.relaunches)
        events: list[Event] = []
        for run_id, proposal in decision.proposals:
            payload = {"proposal": proposal.to_dict()}
            events.append(
                self._event(
                    EventKind.PROPOSED, f"proposed:{run_id}", run_id=run_id, payload=payload
                )
            )
            launches.append(Launch(run_id, 0, proposal, parent_path(self.state, proposal)))
        events.extend(
            self._event(
                EventKind.STARTED,
                f"started:{x.run_id}:{x.attempt}",
                run_id=x.run_id,
                attempt=x.attempt,
            )
            for x in launches
        )
        self._commit(events)
        for launch in launches:
            self._backend.launch(launch)

    def _record(self, reports: Sequence[Report]) -> None:
        events: list[Event] = []
        for report in reports:
            events.extend(report.events)
            if report.failure is not None:
                events.append(self._failed(report))
        self._commit(events)
        ended = [report for report in reports if report.ended]
        self._commit([self._failed(r) for r in map(self._without_result, ended) if r])
        if ended:
            self._accept_front()

    def _without_result(self, report: Report) -> Report | None:
        """Turn an end that left no result into a failure, so that no run waits for ever."""
        if self.state.runs[report.run_id].status is not RunStatus.RUNNING:
            return None
        message = "the attempt ended without a result"
        return replace(report, failure=Failure(Boundary.WORKER, message, retryable=True))

    def _failed(self, report: Report) -> Event:
        failure = report.failure
        assert failure is not None
        tries = self.state.failures.get(report.run_id, 0) + 1
        final = not failure.retryable or tries > self._spec.engine.retries
        return self._event(
            EventKind.FAILED,
            f"failed:{report.run_id}:{report.attempt}",
            run_id=report.run_id,
            attempt=report.attempt,
            boundary=failure.boundary.value,
            message=failure.message,
            payload={
                "final": final,
                "retryable": failure.retryable,
                "details": failure.details[-4000:],
            },
        )

    def _put_down(self, reason: str) -> None:
        events = [
            self._event(
                EventKind.STOPPED, f"stopped:{r.run_id}:{self._ledger.epoch}", run_id=r.run_id
            )
            for r in self.state.open_runs()
        ]
        events.append(self._event(EventKind.CLOSED, f"closed:{self._ledger.epoch}", message=reason))
        self._commit(events)

    def _event(self, kind: EventKind, event_id: str, **fields: object) -> Event:
        return Event(event_id, kind, self._backend.now(), **fields)  # type: ignore[arg-type]

    def _commit(self, events: Sequence[Event]) -> None:
        if events:
            self.state.apply(self._ledger.append(events))
        self._watch(self.state, "")

    def _accept_front(self) -> None:
        """Record the front once no run that would change it at this instant is half told."""
        version = self.state.front_version
        if version != self._front_version and self.state.evaluations:
            record = front_record(self.state, self._fronts, self._spec_digest, self._backend.now())
            self._ledger.record_front(record)
            self._front_version, self._fronts = version, self._fronts + 1
