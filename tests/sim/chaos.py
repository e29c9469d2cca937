"""Sweeps in virtual time under fire, and what must hold of them whatever happened.

A `World` is one sweep: a cluster, a store, and drivers that follow each other. At every commit, and
around it, its `Fate` may deal a `Blow`: kill the driver, let storage fail before or after the rows
landed, press Ctrl-C, or start a second driver that runs for a while or to the end. Everything
follows from the seed: `run_world(seed)` repeats a world exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from paretoflow.core.errors import FencedError, LedgerError
from paretoflow.core.ids import rng_of
from paretoflow.core.launch import Launch
from paretoflow.core.values import Proposal
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.loop.hooks import Hooks
from paretoflow.engine.messages import Report
from paretoflow.engine.simulation.backend import (
    FaultModel,
    Oracle,
    SimulatedBackend,
    SimulatedCluster,
)
from paretoflow.engine.simulation.clock import VirtualTime
from paretoflow.engine.simulation.fault_model import FullDisk
from paretoflow.engine.simulation.storage import SimulatedStorage
from paretoflow.engine.state.failures import AGAIN
from paretoflow.ledger.memory import MemoryLedger, MemoryStore
from paretoflow.ledger.rows import numbered
from paretoflow.ledger.tables import Event, FrontRecord
from paretoflow.proposers import build
from paretoflow.scoring.calibrate import declared_problem
from paretoflow.spec.sweep import SweepSpec
from tests.sim.fates import Blow, DrawnFate, Fate, Killed
from tests.sim.invariants import (
    check_costs,
    check_fronts,
    check_nothing_lost,
    check_order,
    check_runs,
)
from tests.sim.oracles import CircleOracle
from tests.sim.specs import circle_spec

FAULTY_LIVES = 12
"""Drivers that may be killed; those after them live in calm."""
LAST_LIFE = 40
PROPOSERS = ("empty_box", "cmorl", "lattice", "dirichlet")


class ChaosLedger(MemoryLedger):
    """A handle that meets its fate before rows land, and between their landing and the answer.

    Like the durable ledger, it returns rows that landed without an answer with the next one. Rows
    do not go through Arrow, which other tests look after, so that many sweeps are quick.
    """

    def __init__(self, store: MemoryStore, meet: Callable[[str], None]) -> None:
        super().__init__(store)
        self._meet = meet
        self._unreported: list[Event] = []
        self.acknowledged: list[Event] = []

    def append(self, events: Sequence[Event]) -> list[Event]:
        self._meet("before")
        self._unreported += self._land(events)
        self._meet("landed")
        answer, self._unreported = self._unreported, []
        self.acknowledged += answer
        return answer

    def _land(self, events: Sequence[Event]) -> list[Event]:
        self._check_owner()
        store = self._store
        added = numbered(events, store.ids, len(store.events), self.epoch)
        store.events.extend(added)
        store.ids.update(e.event_id for e in added)
        return added

    def record_front(self, front: FrontRecord) -> None:
        self._meet("before")
        self._check_owner()
        self._store.fronts.setdefault(front.number, front)
        self._meet("landed")


class DatedStorage(SimulatedStorage):
    """Remembers when each row was written."""

    def __init__(self, time: VirtualTime) -> None:
        super().__init__()
        self._time = time
        self.written_s: dict[str, float] = {}

    def write(self, events: Sequence[Event]) -> None:
        super().write(events)
        for event in events:
            self.written_s.setdefault(event.event_id, self._time.now_s)


class WatchedCluster(SimulatedCluster):
    """Records its launches, and the time of the first report of each failure.

    Attributes:
        undecided: Launches whose decision was not in the ledger.
    """

    def __init__(
        self, store: MemoryStore, spec: SweepSpec, faults: FaultModel, oracle: Oracle
    ) -> None:
        problem = declared_problem(spec.objectives)
        super().__init__(oracle, problem, spec.engine, seed=spec.seed, faults=faults)
        self.storage: DatedStorage = DatedStorage(self.time)
        self.store = store
        self.launched: list[tuple[str, int]] = []
        self.undecided: list[Launch] = []
        self.failures_told_s: dict[tuple[str, int], float] = {}

    def launch(self, launch: Launch) -> None:
        self.launched.append((launch.run_id, launch.attempt))
        if f"started:{launch.run_id}:{launch.attempt}" not in self.store.ids:
            self.undecided.append(launch)
        super().launch(launch)

    def next_reports(self, timeout_s: float) -> list[Report]:
        reports = super().next_reports(timeout_s)
        for report in reports:
            if report.failure is not None:
                attempt = (report.run_id, report.attempt)
                self.failures_told_s.setdefault(attempt, self.time.now_s)
        return reports


class SlowCircle(CircleOracle):
    """Checkpoints of about ten seconds, so that storage is back before most runs end."""

    def launch(
        self, proposal: Proposal, rng: np.random.Generator
    ) -> list[tuple[float, list[float]]]:
        noise = rng.normal(0.0, 0.02, 2)
        answer = super().launch(proposal, rng)
        return [(10 * cost, (np.asarray(s) + noise).tolist()) for cost, s in answer]


def drawn_weather(rng: np.random.Generator) -> FaultModel:
    """Return one sweep's weather: some kinds of trouble are absent."""
    crash, straggle, oom, node, preempt, hang, twice, delay = rng.random(8) * rng.integers(0, 2, 8)
    return FaultModel(
        crash=0.3 * crash,
        straggle=0.3 * straggle,
        out_of_memory=0.3 * oom,
        node_loss=0.2 * node,
        preempt=0.3 * preempt,
        hang=0.2 * hang,
        duplicate=0.6 * twice,
        delay=0.6 * delay,
        delay_s=float(rng.choice([1.0, 10.0, 60.0])),
        noticed_s=float(rng.choice([0.0, 5.0])),
        full_disks=drawn_disks(rng),
    )


def drawn_disks(rng: np.random.Generator) -> tuple[FullDisk, ...]:
    """Return when disks of one sweep are full; of every other sweep none is."""
    disks = []
    for _ in range(int(rng.integers(0, 2) * rng.integers(1, 4))):
        start_s, slot = float(rng.uniform(0.0, 200.0)), int(rng.integers(-1, 4))
        for_s = float(rng.exponential(60.0))
        disks.append(FullDisk(start_s, start_s + for_s, None if slot < 0 else slot))
    return tuple(disks)


def drawn_spec(rng: np.random.Generator, seed: int) -> SweepSpec:
    """Return a small sweep; every other one pauses runs at their first checkpoint."""
    rungs = {"reduction": 2, "first": 1} if seed % 2 else None
    return circle_spec(
        seed=seed,
        proposer={"type": str(rng.choice(PROPOSERS))},
        stop={"runs": int(rng.integers(5, 9)), "rungs": rungs, "failures": 1 + seed % 3},
        engine={
            "worker_groups": int(rng.integers(1, 5)),
            "retries": int(rng.integers(0, 3)),
            "limits": {"silent_s": 30.0, "orphan_s": 100.0, "losses": int(rng.integers(1, 6))},
        },
    )


@dataclass
class World:
    """One sweep and everything around it.

    Attributes:
        endings: How each driver ended.
        launched_by: How many launches there were when it did.
        acknowledged: Rows that a ledger has confirmed to some driver.
        oracle_class: What is trained and evaluated.
        ledger_class, driver_class: Replaced where the checks themselves are tested.
    """

    spec: SweepSpec
    faults: FaultModel
    fate: Fate
    rng: np.random.Generator
    oracle_class: type[Oracle] = SlowCircle
    ledger_class: type[ChaosLedger] = ChaosLedger
    driver_class: type[Driver] = Driver
    store: MemoryStore = field(default_factory=MemoryStore)
    endings: list[str] = field(default_factory=list)
    acknowledged: list[Event] = field(default_factory=list)
    launched_by: list[int] = field(default_factory=list)
    _away_until_s: float = -1.0
    _depth: int = 0

    def __post_init__(self) -> None:
        oracle = self.oracle_class()
        self.cluster = WatchedCluster(self.store, self.spec, self.faults, oracle)

    def run(self) -> None:
        """Let one driver follow another until the sweep is done, then open it once more."""
        while not self._ends():
            mean_s = float(self.rng.choice([1.0, 20.0, 150.0]))
            self.cluster.pass_time(float(self.rng.exponential(mean_s)))
        self.cluster.pass_time(1000.0)
        while not self._ends():
            pass

    def _ends(self) -> bool:
        """Let one driver live; return whether nothing is left to do for another."""
        assert len(self.endings) < LAST_LIFE, f"never ends: {self.endings}"
        if self._live() != "done":
            return False
        early = bool(self.store.events[-1].payload.get(AGAIN))
        self.endings[-1] = "stopped early" if early else "done"
        return not early

    def _live(self) -> str:
        ledger = self.ledger_class(self.store, self._meet)
        known = self.store.ids
        hooks = Hooks(recover=lambda: self.cluster.storage.beyond(known))
        proposer = build(self.spec.proposer, m=2, runs=self.spec.stop.runs)
        backend = SimulatedBackend(self.cluster)
        place = len(self.endings)
        self.endings.append("alive")
        try:
            self.driver_class(self.spec, ledger, backend, proposer, hooks).run()
            ending = "done"
        except Killed:
            ending = "killed"
        except KeyboardInterrupt:
            ending = "stopped"
        except FencedError:
            ending = "fenced"
        except LedgerError as error:
            if "away" not in str(error):
                raise
            ending = "gave up"
        self.endings[place] = ending
        self.launched_by.append(len(self.cluster.launched))
        self.acknowledged += ledger.acknowledged
        return ending

    def _meet(self, where: str) -> None:
        now_s = self.cluster.time.now_s
        if where == "before" and now_s < self._away_until_s:
            raise LedgerError("simulated storage is away")
        match self.fate.next() if len(self.endings) <= FAULTY_LIVES else None:
            case Blow.KILL:
                raise Killed
            case Blow.STOP:
                raise KeyboardInterrupt
            case Blow.FAIL:
                raise LedgerError("simulated storage is away")
            case Blow.OUTAGE:
                self._away_until_s = now_s + float(self.rng.uniform(0.0, 300.0))
                raise LedgerError("simulated storage is away")
            case Blow.RIVAL if self._depth < 2:
                self._depth += 1
                self._live()
                self._depth -= 1


def world_of(seed: int, **instead: Any) -> World:
    """Return the world of a seed before anything has happened, with other parts where given."""
    rng = rng_of("chaos", seed)
    return World(drawn_spec(rng, seed), drawn_weather(rng), DrawnFate(rng), rng, **instead)


def run_world(seed: int, **instead: Any) -> World:
    """Run the world of a seed to its end, and check it.

    Raises:
        AssertionError: If anything was lost, doubled or left undone; names the seed.
    """
    world = world_of(seed, **instead)
    try:
        world.run()
        check(world)
    except Exception as error:
        story = f"seed {seed}, repeated by tests.sim.chaos.run_world({seed}): {world.endings}"
        raise AssertionError(f"{story}: {error}") from error
    return world


def check(world: World) -> None:
    """Raise an AssertionError unless nothing was lost, doubled or left undone."""
    events, cluster = world.store.events, world.cluster
    check_order(events)
    state = check_runs(events, world.spec.stop.runs)
    check_nothing_lost(
        events,
        world.acknowledged,
        [(row, cluster.storage.written_s[row.event_id]) for row in cluster.storage],
        cluster.failures_told_s,
    )
    check_costs(events, state)
    fronts = [world.store.fronts[n] for n in sorted(world.store.fronts)]
    check_fronts(events, fronts, cluster.problem, state)
    assert not cluster.undecided, f"launched, but not decided: {cluster.undecided}"
    assert len(cluster.launched) == len(set(cluster.launched)), "an attempt was launched twice"
