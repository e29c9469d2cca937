"""A backend that answers by a script, and a driver over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from paretoflow.core.launch import Launch
from paretoflow.core.status import Boundary
from paretoflow.core.values import Problem
from paretoflow.engine.live import GroupState
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.loop.hooks import Hooks
from paretoflow.engine.messages import Failure, Report
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.ledger.memory import MemoryLedger, MemoryStore
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.proposers import build
from paretoflow.spec.sweep import SweepSpec
from tests.sim.specs import circle_spec
from tests.unit.engine.telling import CALIBRATED, base, done, scored

Answer = Callable[[Launch], list[Report]]


def _scores(launch: Launch) -> tuple[float, float]:
    number = 1 + int(launch.run_id[1:5])
    return 0.5 + number / 100, 5.0 + number / 10


def result(launch: Launch) -> list[Report]:
    """A run that goes well: one checkpoint, and the end after it."""
    events = (
        scored(launch.run_id, _scores(launch), attempt=launch.attempt),
        done(launch.run_id, launch.attempt),
    )
    told = Report(launch.run_id, launch.attempt, events)
    return [told, Report(launch.run_id, launch.attempt, ended=True)]


def crash(launch: Launch, *, retryable: bool = True) -> list[Report]:
    failure = Failure(Boundary.METHOD, "the loss is nan", retryable, "Traceback …")
    return [Report(launch.run_id, launch.attempt, ended=True, failure=failure)]


class ScriptedBackend:
    """Answers each launch by a script, and remembers what the ledger held when it was launched."""

    def __init__(self, store: MemoryStore, answer: Answer = result, *, workers: int = 2) -> None:
        self._ledger = MemoryLedger(store, writer=False)
        self._answer = answer
        self._workers = workers
        self._busy: list[Launch] = []
        self.prepared: list[Problem | None] = []
        self.launched: list[tuple[str, int]] = []
        self.known: list[list[str]] = []
        self.suspended: list[tuple[str, int]] = []
        self.closed = 0
        self.left = 0
        self._time = 0.0

    def adopt(self, epoch: int) -> list[Launch]:
        return []

    def pause(self, seconds: float) -> None:
        self._time += seconds

    def drop(self, launch: Launch) -> None:
        self._busy.remove(launch)

    def suspend(self, run_id: str, attempt: int, why: str) -> None:
        self.suspended.append((run_id, attempt))

    def groups(self) -> Sequence[GroupState]:
        return ()

    def detach(self) -> None:
        self.left += 1

    def prepare(self, problem: Problem | None) -> list[Event]:
        self.prepared.append(problem)
        return [] if problem else [CALIBRATED, base()]

    def now(self) -> float:
        self._time += 1.0
        return self._time

    def free(self) -> int:
        return self._workers - len(self._busy)

    def launch(self, launch: Launch) -> None:
        assert self.free() > 0
        self._busy.append(launch)
        self.launched.append((launch.run_id, launch.attempt))
        self.known.append([e.event_id for e in self._ledger.events()])

    def poll(self, timeout_s: float) -> list[Report]:
        if not self._busy:
            return []
        reports = self._answer(self._busy[0])
        if any(r.ended for r in reports):
            self._busy.pop(0)
        return reports

    def close(self) -> None:
        self.closed += 1


def driver_over(
    store: MemoryStore,
    backend: ScriptedBackend,
    spec: SweepSpec | None = None,
    watch: Callable[[SweepState, str], None] = lambda state, note: None,
    recovered: Sequence[Event] = (),
) -> Driver:
    spec = spec or circle_spec(stop={"runs": 4}, proposer={"type": "lattice"})
    proposer = build(spec.proposer, m=2, runs=spec.stop.runs)
    return Driver(spec, MemoryLedger(store), backend, proposer, Hooks(watch, lambda: recovered))


def told(store: MemoryStore, kind: EventKind) -> list[Event]:
    return [e for e in MemoryLedger(store, writer=False).events() if e.kind is kind]
