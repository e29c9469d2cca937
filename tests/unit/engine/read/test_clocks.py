"""Times of two machines are never compared as if they were from one clock."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from paretoflow.engine.groups.backend import GroupBackend
from paretoflow.engine.groups.discovery import WorkerGroupFactory
from paretoflow.engine.live import EVERY_S, LIVE_FILE, GroupPhase, GroupState, Live, live_json
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.loop.planner import exhausted
from paretoflow.engine.messages import Report
from paretoflow.engine.read.status import LOOK_AGAIN_S, SILENT_S, StandingReader, facts
from paretoflow.engine.runtime.protocols import EXECUTOR
from paretoflow.engine.session.folder import enter_folder
from paretoflow.engine.simulation.backend import SimulatedBackend, SimulatedCluster
from paretoflow.engine.state.events import SEEN
from paretoflow.ledger import open_ledger
from paretoflow.ledger.memory import MemoryLedger
from paretoflow.ledger.tables import EventKind
from paretoflow.proposers import build
from paretoflow.scoring.calibrate import declared_problem
from tests.sim.oracles import CircleOracle
from tests.sim.specs import circle_spec
from tests.unit.engine.groups.by_hand import HandTransport
from tests.unit.engine.telling import (
    CALIBRATED,
    base,
    done,
    folded,
    opened,
    proposed,
    scored,
    started,
)

HERE = socket.gethostname()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    enter_folder(circle_spec(), tmp_path / "circle")
    ledger = open_ledger(tmp_path / "circle", writer=True, create=True, fsync=False)
    ledger.append([opened(), CALIBRATED, base(), proposed("a"), started("a")])
    return tmp_path / "circle"


def _write(root: Path, time_s: float, host: str = "head") -> None:
    group = GroupState(0, GroupPhase.BUSY, time_s - 7.0, "a")
    live = Live(time_s, 0, f"{host}:7", (group,), 0.5)
    (root / LIVE_FILE).write_bytes(live_json(live))


@pytest.mark.few(3)
@pytest.mark.parametrize("host", ["head", HERE])
@pytest.mark.parametrize("ahead_s", [-86_400.0, -300.0, 300.0, 86_400.0])
def test_a_driver_that_writes_is_at_work_whatever_its_clock(
    root: Path, ahead_s: float, host: str
) -> None:
    reader = StandingReader(root)
    for look in range(4):
        now_s = 1e9 + 2.0 * look
        _write(root, now_s + ahead_s, host)
        standing = reader.look(now_s)
    assert (standing.phase, standing.silent_s) == ("running", pytest.approx(0.0, abs=2.0))
    assert facts(standing)["worker_groups"][0]["for_s"] == pytest.approx(7.0, abs=2.0)


@pytest.mark.parametrize("ahead_s", [-300.0, 0.0, 300.0])
def test_a_driver_that_stops_writing_is_gone_after_a_while(root: Path, ahead_s: float) -> None:
    reader = StandingReader(root)
    for now_s in (1e9, 1e9 + 2):
        _write(root, now_s + ahead_s)
        reader.look(now_s)
    assert reader.look(1e9 + SILENT_S).phase == "running"
    assert reader.look(1e9 + 3 + SILENT_S).phase == "interrupted"


@pytest.mark.parametrize(
    ("ahead_s", "writes", "phase"),
    [
        (-300.0, True, "running"),
        (300.0, True, "running"),
        (-300.0, False, "interrupted"),
        (300.0, False, "running or interrupted"),  # a dead driver whose clock was ahead
        (0.0, False, "running or interrupted"),
    ],
)
def test_one_look_is_two_where_the_driver_is_elsewhere(
    root: Path, ahead_s: float, writes: bool, phase: str
) -> None:
    clock = [1e9]

    def wait(seconds: float) -> None:
        assert seconds == LOOK_AGAIN_S > EVERY_S
        clock[0] += seconds
        if writes:
            _write(root, clock[0] + ahead_s)

    _write(root, clock[0] + ahead_s)
    standing = StandingReader(root).look_twice(lambda: clock[0], wait)
    assert (standing.phase, standing.sure) == (phase, writes)


def test_a_driver_on_this_machine_is_told_at_once(root: Path) -> None:
    _write(root, 1e9 - 30, HERE)
    standing = StandingReader(root).look_twice(lambda: 1e9, lambda _: pytest.fail("it waited"))
    assert (standing.phase, standing.silent_s) == ("running", 30.0)


class _Skewed(SimulatedBackend):
    """A backend whose workers have clocks of their own."""

    ahead_s = 0.0

    def poll(self, timeout_s: float) -> list[Report]:
        return [
            replace(r, events=tuple(replace(e, time_s=e.time_s + self.ahead_s) for e in r.events))
            for r in super().poll(timeout_s)
        ]


def _runs_within(hours: float, ahead_s: float) -> tuple[int, float]:
    spec = circle_spec(stop={"runs": 50, "hours": hours})
    problem = declared_problem(spec.objectives)
    backend = _Skewed(SimulatedCluster(CircleOracle(), problem, spec.engine, seed=1))
    backend.ahead_s = ahead_s
    driver = Driver(spec, MemoryLedger(), backend, build(spec.proposer, m=problem.m, runs=50))
    driver.run()
    return driver.state.finished, driver.state.elapsed_s()


@pytest.mark.full
def test_a_worker_whose_clock_is_ahead_does_not_use_up_the_hours() -> None:
    hours = _runs_within(1e9, 0.0)[1] / 2 / 3600
    even = _runs_within(hours, 0.0)
    assert 10 < even[0] < 40
    for ahead_s in (300.0, 36_000.0, -36_000.0):
        assert _runs_within(hours, ahead_s) == even


def test_a_worker_said_it_but_its_driver_was_there() -> None:
    spec = circle_spec()
    problem = declared_problem(spec.objectives)
    ledger = MemoryLedger()
    backend = _Skewed(SimulatedCluster(CircleOracle(), problem, spec.engine, seed=1))
    backend.ahead_s = 5000.0
    Driver(spec, ledger, backend, build(spec.proposer, m=problem.m, runs=spec.stop.runs)).run()
    for event in ledger.events():
        told = event.kind in (EventKind.EVALUATED, EventKind.FINISHED)
        assert (SEEN in event.payload) == (told or event.kind is EventKind.CALIBRATED)
        if told:
            assert event.payload[SEEN] < event.time_s - 4000


@pytest.mark.parametrize("ahead_s", [0.0, 7200.0, -7200.0])
def test_in_ledgers_of_earlier_versions_the_drivers_own_words_count(ahead_s: float) -> None:
    state = folded(
        opened(at=1000.0),
        CALIBRATED,
        base(),
        replace(proposed("a"), time_s=1010.0),
        started("a", at=1010.0),
        scored("a", (0.6, 4.0), at=1025.0 + ahead_s),
        replace(done("a"), time_s=1040.0 + ahead_s),
        replace(proposed("b"), time_s=1041.0),
    )
    assert state.elapsed_s() == 41.0
    assert not exhausted(circle_spec(stop={"runs": 9, "hours": 1.0}), state)


def test_the_backends_clock_goes_on_when_that_of_the_machine_is_set() -> None:
    class Set(HandTransport):
        def time(self) -> float:
            return 1e9 if self.now_s == 1000.0 else 0.0

    transport = Set()
    spec = circle_spec()
    factory = WorkerGroupFactory(spec, "/a/s", EXECUTOR, transport)
    backend = GroupBackend(spec, transport, factory, lambda run_id, damaged: [])
    transport.sleep(10.0)
    assert transport.time() == 0.0
    assert backend.now() == 1e9 + 10.0
