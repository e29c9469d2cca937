"""Whole sweeps in virtual time: the real planner, driver and ledger, an oracle for training."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from paretoflow.core.errors import ObjectiveError
from paretoflow.core.ids import rng_of
from paretoflow.core.values import Proposal
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.session.simulate import Simulation, simulate
from paretoflow.engine.simulation.backend import FaultModel, SimulatedBackend, SimulatedCluster
from paretoflow.engine.simulation.fault_model import FullDisk
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.ledger.memory import MemoryLedger, MemoryStore
from paretoflow.ledger.tables import EventKind
from paretoflow.proposers import build
from paretoflow.scoring.calibrate import declared_problem
from tests.sim.invariants import told_scores
from tests.sim.oracles import (
    BrokenOracle,
    CircleOracle,
    HopelessOracle,
    MixingOracle,
    NoisyOracle,
)
from tests.sim.specs import circle_spec


def _same(a: Simulation, b: Simulation) -> bool:
    return a.launches == b.launches and a.front == b.front and a.virtual_s == b.virtual_s


@pytest.mark.few(2)
@pytest.mark.parametrize("tag", ["auto", "lattice", "dirichlet", "cmorl", "empty_box"])
def test_the_same_job_twice_gives_identical_launches(tag: str) -> None:
    spec = circle_spec(proposer={"type": tag})
    faults = FaultModel(crash=0.2, straggle=0.2)
    first = simulate(spec, CircleOracle(), faults=faults)
    assert _same(first, simulate(spec, CircleOracle(), faults=faults))
    assert len(first.launches) == 16


def test_another_seed_gives_other_launches() -> None:
    first = simulate(circle_spec(seed=1), CircleOracle())
    assert first.launches != simulate(circle_spec(seed=2), CircleOracle()).launches


def test_constrained_launches_leave_the_hull_of_a_concave_front() -> None:
    full = 1.1**2  # the box from the reference point to the ideal
    boxes = simulate(circle_spec(), CircleOracle()).front.hypervolume
    lattice = simulate(circle_spec(proposer={"type": "lattice"}), CircleOracle()).front.hypervolume
    assert lattice < boxes < full
    assert boxes > 1.4 * lattice


@pytest.mark.parametrize("tag", ["soups", "map"])
def test_merges_are_runs_that_cost_little_and_come_back_on_the_front(tag: str) -> None:
    spec = circle_spec(proposer={"type": tag}, engine={"worker_groups": 4, "retries": 20})
    faults = FaultModel(crash=0.2, straggle=0.2)
    mixed = simulate(spec, MixingOracle(), faults=faults)
    assert _same(mixed, simulate(spec, MixingOracle(), faults=faults))
    assert (mixed.front.finished, mixed.front.failed) == (16, 0)
    assert [p["kind"] for p in mixed.launches] == ["weighted"] * 2 + ["merge"] * 14
    assert {p.kind for p in mixed.front.points} == {"weighted", "merge"}
    trained = simulate(circle_spec(proposer={"type": "lattice"}), CircleOracle())
    assert mixed.front.hypervolume > 1.4 * trained.front.hypervolume
    assert mixed.virtual_s < trained.virtual_s


def test_crashes_are_retried_and_never_cancel_siblings() -> None:
    spec = circle_spec(engine={"worker_groups": 4, "retries": 20})
    result = simulate(spec, CircleOracle(), faults=FaultModel(crash=0.4))
    assert result.front.finished == 16
    assert result.front.failed == 0


def test_a_run_out_of_retries_is_a_failed_row_with_its_boundary() -> None:
    store = MemoryStore()
    spec = circle_spec(engine={"worker_groups": 2, "retries": 1})
    result = simulate(spec, BrokenOracle(), ledger=MemoryLedger(store))
    failures = [e for e in MemoryLedger(store, writer=False).events() if e.kind is EventKind.FAILED]
    assert failures
    assert {e.boundary for e in failures} == {"objective"}
    assert "left" in failures[0].message
    assert result.front.finished + result.front.failed == 16
    assert sum(e.payload["final"] for e in failures) == result.front.failed


def test_a_sweep_whose_every_run_fails_still_ends() -> None:
    stop = {"runs": 5, "failures": None}
    result = simulate(
        circle_spec(stop=stop, engine={"worker_groups": 2, "retries": 0}), HopelessOracle()
    )
    assert (result.front.finished, result.front.failed, result.front.points) == (0, 5, ())
    assert result.front.hypervolume == 0.0


def test_stragglers_hold_nobody_up() -> None:
    class OneSlow(CircleOracle):
        calls = 0

        def launch(
            self, proposal: Proposal, rng: np.random.Generator
        ) -> list[tuple[float, list[float]]]:
            self.calls += 1
            (_, half), (_, best) = super().launch(proposal, rng)
            return [(50.0 if self.calls == 1 else 0.5, half), (0.5, best)]

    result = simulate(circle_spec(), OneSlow())
    # fifteen runs of one second on the other three workers end long before the slow one does
    assert result.virtual_s == pytest.approx(50.5)


def test_a_sweep_stops_when_the_front_stands_still() -> None:
    spec = circle_spec(
        proposer={"type": "lattice"}, stop={"runs": 40, "stagnation": {"runs": 5, "gain": 0.01}}
    )
    result = simulate(spec, CircleOracle())
    assert "raised the hypervolume by less" in result.reason
    assert result.front.finished < 20


def test_a_sweep_stops_when_a_further_run_should_add_too_little() -> None:
    """Weights alone find the two ends of a concave front; launches into its gaps go on finding."""
    stop = {"runs": 40, "gain_below": 0.005}
    flat = simulate(circle_spec(proposer={"type": "dirichlet"}, stop=stop), CircleOracle())
    assert "a further run should add" in flat.reason
    assert flat.front.finished < 20
    growing = simulate(circle_spec(stop=stop | {"runs": 16}), CircleOracle())
    assert growing.reason == "all 16 runs are launched"
    assert growing.front.hypervolume > 1.4 * flat.front.hypervolume


def test_a_sweep_stops_at_its_cost_and_its_hours() -> None:
    priced = circle_spec(
        engine={"worker_groups": 1, "price": 3600.0}, stop={"runs": 40, "cost": 5.0}
    )
    assert "cost of 5" in simulate(priced, CircleOracle()).reason
    timed = circle_spec(engine={"worker_groups": 1}, stop={"runs": 40, "hours": 5 / 3600})
    assert "hours are used up" in simulate(timed, CircleOracle()).reason


def test_second_looks_are_runs_that_change_the_row_of_their_snapshot() -> None:
    store = MemoryStore()
    spec = circle_spec(proposer={"type": "reevaluate", "share": 0.3}, stop={"runs": 30})
    result = simulate(spec, NoisyOracle(), ledger=MemoryLedger(store))
    assert _same(result, simulate(spec, NoisyOracle()))
    assert (result.front.finished, result.front.failed) == (30, 0)
    looks = [p for p in result.launches if p["kind"] == "reevaluate"]
    assert len(looks) == 9
    assert max(Counter(p["parent"] for p in looks).values()) <= 3
    state = SweepState()
    state.apply(store.events)
    told = told_scores(e for e in store.events if e.kind is EventKind.EVALUATED)
    assert len(state.evaluations) == len(told) == 2 * 21  # two checkpoints of each trained run
    for row in state.evaluations:
        np.testing.assert_allclose(row.scores, told[row.snapshot_id])
        np.testing.assert_allclose(row.stderr, 0.05 / np.sqrt(row.draws))
    assert sum(row.draws - 1 for row in state.evaluations) == 9


def test_an_oracle_that_cannot_look_again_says_so() -> None:
    class Plain:
        launch = NoisyOracle().launch

    store = MemoryStore()
    spec = circle_spec(proposer={"type": "reevaluate", "share": 0.3})
    assert simulate(spec, Plain(), ledger=MemoryLedger(store)).front.failed > 0
    failures = [e for e in store.events if e.kind is EventKind.FAILED]
    assert all(": Plain cannot evaluate r" in e.message for e in failures)
    assert all(e.payload["final"] for e in failures)


class _Killed(BaseException):
    """Stands for SIGKILL: nothing in the driver may catch it."""


class _DyingLedger(MemoryLedger):
    """Dies right after (or right before) the k-th commit."""

    def __init__(self, store: MemoryStore, die_at: int, *, after: bool) -> None:
        super().__init__(store)
        self._left, self._after = die_at, after

    def append(self, events):  # type: ignore[no-untyped-def]
        self._left -= 1
        if self._left == 0 and not self._after:
            raise _Killed
        added = super().append(events)
        if self._left == 0:
            raise _Killed
        return added


@pytest.mark.parametrize(
    "sweep_seed", [*range(4), *(pytest.param(n, marks=pytest.mark.full) for n in range(4, 12))]
)
def test_a_driver_killed_at_random_commits_loses_nothing_and_doubles_nothing(
    sweep_seed: int,
) -> None:
    spec = circle_spec(seed=sweep_seed)
    problem = declared_problem(spec.objectives)
    rng = rng_of("kills", sweep_seed)
    store = MemoryStore()
    for life in range(60):
        last = MemoryLedger(store, writer=False).events()
        start = last[-1].time_s if last else 0.0
        backend = SimulatedBackend(
            SimulatedCluster(CircleOracle(), problem, spec.engine, seed=spec.seed, start_s=start)
        )
        dying = _DyingLedger(store, int(rng.integers(2, 12)), after=bool(rng.random() < 0.5))
        ledger = dying if life < 10 else MemoryLedger(store)
        proposer = build(spec.proposer, m=2, runs=spec.stop.runs)
        try:
            Driver(spec, ledger, backend, proposer).run()
        except _Killed:
            continue
        break
    events = MemoryLedger(store, writer=False).events()
    finished = [e.run_id for e in events if e.kind is EventKind.FINISHED]
    proposed = [e.run_id for e in events if e.kind is EventKind.PROPOSED]
    assert len(finished) == len(set(finished)) == 16
    assert sorted(finished) == sorted(proposed)
    assert [e.seq for e in events] == list(range(len(events)))
    attempts = [(e.run_id, e.attempt) for e in events if e.kind is EventKind.STARTED]
    assert len(attempts) == len(set(attempts))


def test_a_full_disk_costs_no_retries_and_the_sweep_goes_on_once_there_is_space() -> None:
    store = MemoryStore()
    spec = circle_spec(engine={"worker_groups": 4, "retries": 0})
    faults = FaultModel(full_disks=(FullDisk(2.0, 400.0),))
    result = simulate(spec, CircleOracle(), faults=faults, ledger=MemoryLedger(store))
    failures = [e for e in store.events if e.kind is EventKind.FAILED]
    assert {(e.boundary, e.payload["cause"]) for e in failures} == {("store", "outage")}
    assert (result.front.finished, result.front.failed, result.ending.trouble) == (16, 0, "")
    # each group tried at most after 5, 15, 35, 75, 155, 315 and 615 s
    assert len(failures) <= 4 * 7
    assert result.virtual_s < 1000


def test_a_group_on_a_full_disk_rests_while_the_others_go_on() -> None:
    store = MemoryStore()
    spec = circle_spec(engine={"worker_groups": 4, "retries": 0}, stop={"runs": 30})
    faults = FaultModel(full_disks=(FullDisk(0.0, 10**6, slot=2),))
    result = simulate(spec, CircleOracle(), faults=faults, ledger=MemoryLedger(store))
    assert (result.front.finished, result.front.failed) == (30, 0)
    failures = [e for e in store.events if e.kind is EventKind.FAILED]
    assert 0 < len(failures) < 5
    assert result.virtual_s < 60


def test_a_disk_that_stays_full_stops_the_sweep_with_its_name_and_nothing_is_burnt() -> None:
    store = MemoryStore()
    spec = circle_spec(engine={"worker_groups": 2, "limits": {"losses": 4}}, stop={"runs": 12})
    faults = FaultModel(full_disks=(FullDisk(0.0, 2000.0),))
    result = simulate(spec, CircleOracle(), faults=faults, ledger=MemoryLedger(store))
    assert result.ending.trouble.startswith("stopped early: ")
    assert "at the boundary store: no space left" in result.reason
    assert result.front.failed < 6
    attempts = Counter(e.run_id for e in store.events if e.kind is EventKind.FAILED)
    assert max(attempts.values()) == 5
    again = simulate(spec, CircleOracle(), ledger=MemoryLedger(store))
    assert (again.front.finished, again.front.failed, len(again.launches)) == (12, 0, 12)


class Judged(CircleOracle):
    """Its judge is away for the first calls."""

    away = 9

    def launch(
        self, proposal: Proposal, rng: np.random.Generator
    ) -> list[tuple[float, list[float]]]:
        self.away -= 1
        if self.away >= 0:
            try:
                raise ConnectionRefusedError(111, "Connection refused")
            except ConnectionRefusedError as error:
                raise ObjectiveError("raised ConnectionRefusedError", "objective left") from error
        return super().launch(proposal, rng)


def test_a_judge_that_is_away_for_a_while_fails_no_run() -> None:
    store = MemoryStore()
    spec = circle_spec(engine={"worker_groups": 2, "retries": 0})
    result = simulate(spec, Judged(), ledger=MemoryLedger(store))
    assert (result.front.finished, result.front.failed) == (16, 0)
    failures = [e for e in store.events if e.kind is EventKind.FAILED]
    assert [(e.boundary, e.payload["cause"]) for e in failures] == [("objective", "outage")] * 9
    assert 30 < result.virtual_s < 400
