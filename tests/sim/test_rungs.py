"""Whole sweeps in virtual time that pause runs at rungs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from paretoflow.core.ids import rng_of
from paretoflow.core.status import RunStatus
from paretoflow.core.values import Proposal
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.simulation.backend import FaultModel, SimulatedBackend, SimulatedCluster
from paretoflow.ledger.memory import MemoryLedger, MemoryStore
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.proposers import build
from paretoflow.scoring.calibrate import declared_problem
from paretoflow.spec.sweep import SweepSpec
from tests.sim.chaos import QuickCircle, World, check
from tests.sim.fates import Blow, OneBlow
from tests.sim.invariants import of_kind
from tests.sim.oracles import CircleOracle
from tests.sim.specs import circle_spec
from tests.virtual.faults import CALM

STEPS = 9


class SlowOracle(CircleOracle):
    """Reaches a point short of its best in nine checkpoints; how short, the launch's seed says."""

    def launch(
        self, proposal: Proposal, rng: np.random.Generator
    ) -> list[tuple[float, list[float]]]:
        best = self.front[self._choice(proposal)]
        fate = rng_of("slow", proposal.seed)
        share, speed = fate.uniform(0.5, 1.0), fate.uniform(1.0, 4.0)
        reached = [share * (1 - np.exp(-speed * (t + 1) / STEPS)) for t in range(STEPS)]
        return [(1.0, (each * best).tolist()) for each in reached]


def spec_of(**changes: object) -> SweepSpec:
    rungs = {"reduction": 3, "first": 1}
    method = {"type": "dpo", "steps": STEPS}
    return circle_spec(method=method, **{"stop": {"runs": 24, "rungs": rungs}, **changes})


def swept(spec: SweepSpec, **faults: Any) -> list[Event]:
    store = MemoryStore()
    cluster = SimulatedCluster(
        SlowOracle(),
        declared_problem(spec.objectives),
        spec.engine,
        seed=spec.seed,
        faults=FaultModel(**faults),
    )
    proposer = build(spec.proposer, m=2, runs=spec.stop.runs)
    Driver(spec, MemoryLedger(store), SimulatedBackend(cluster), proposer).run()
    return store.events


@pytest.mark.few(1)
@pytest.mark.parametrize("tag", ["empty_box", "lattice", "cmorl"])
def test_the_same_sweep_twice_pauses_the_same_runs(tag: str) -> None:
    spec = spec_of(proposer={"type": tag}, engine={"worker_groups": 4, "retries": 20})
    first = swept(spec, crash=0.2, straggle=0.2)
    assert first == swept(spec, crash=0.2, straggle=0.2)
    assert of_kind(first, EventKind.PAUSED)


def test_pausing_saves_time_and_what_is_resumed_goes_on_where_it_was() -> None:
    paused, whole = swept(spec_of()), swept(spec_of(stop={"runs": 24}))
    spent = [sum(e.device_s for e in events) for events in (paused, whole)]
    assert spent[0] < 0.75 * spent[1]
    resumed = {e.run_id for e in of_kind(paused, EventKind.STARTED) if e.attempt}
    assert resumed
    for run_id in resumed:  # no checkpoint twice, and none left out
        steps = [e.step for e in of_kind(paused, EventKind.EVALUATED) if e.run_id == run_id]
        assert steps == list(range(1, len(steps) + 1))


def test_what_nothing_is_ahead_of_is_never_paused() -> None:
    class Flat(SlowOracle):
        """All runs are on one front at every step."""

        def launch(
            self, proposal: Proposal, rng: np.random.Generator
        ) -> list[tuple[float, list[float]]]:
            share = np.asarray(proposal.weights)
            return [(1.0, share.tolist()) for _ in range(STEPS)]

    store = MemoryStore()
    spec = spec_of(proposer={"type": "lattice"})
    problem = declared_problem(spec.objectives)
    cluster = SimulatedCluster(Flat(), problem, spec.engine, seed=spec.seed)
    proposer = build(spec.proposer, m=2, runs=spec.stop.runs)
    driver = Driver(spec, MemoryLedger(store), SimulatedBackend(cluster), proposer)
    driver.run()
    assert {r.status for r in driver.state.runs.values()} == {RunStatus.FINISHED}


def _world(fate: OneBlow) -> World:
    stop = {"runs": 6, "rungs": {"reduction": 3, "first": 1}}
    spec = circle_spec(stop=stop, engine={"worker_groups": 2}, proposer={"type": "lattice"})
    return World(spec, CALM, fate, rng_of("one blow"), oracle_class=QuickCircle)


@pytest.mark.parametrize("blow", [Blow.KILL, Blow.RIVAL])
def test_a_blow_at_every_other_commit_of_a_sweep_with_paused_runs(blow: Blow) -> None:
    quiet = _world(counted := OneBlow(None, 0))
    quiet.run()
    kinds = [e.kind for e in quiet.store.events]
    assert EventKind.PAUSED in kinds
    for at in range(0, counted.chances, 2):
        world = _world(OneBlow(blow, at))
        world.run()
        check(world)
