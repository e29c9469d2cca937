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

from paretoflow.core.errors import FencedError, LedgerError, WorkerError
from paretoflow.core.ids import rng_of
from paretoflow.core.launch import Launch
from paretoflow.core.values import Proposal
from paretoflow.engine.groups.backend import GroupBackend
from paretoflow.engine.groups.discovery import WorkerGroupFactory
from paretoflow.engine.groups.worker import SAVE_S
from paretoflow.engine.loop.driver import Driver
from paretoflow.engine.loop.hooks import Hooks
from paretoflow.engine.messages import Report
from paretoflow.engine.oracles import Oracle
from paretoflow.engine.state.failures import AGAIN
from paretoflow.ledger.memory import MemoryLedger, MemoryStore
from paretoflow.ledger.rows import numbered
from paretoflow.ledger.tables import Event, FrontRecord
from paretoflow.proposers import build
from paretoflow.spec.sweep import SweepSpec
from tests.sim.fates import Blow, DrawnFate, Fate, Killed
from tests.sim.invariants import (
    check_costs,
    check_fronts,
    check_nothing_lost,
    check_order,
    check_runs,
    check_told_alike,
    check_told_failures,
    check_what_was_given_up,
)
from tests.sim.oracles import CircleOracle
from tests.sim.specs import circle_spec
from tests.virtual.cluster import VirtualCluster
from tests.virtual.faults import ClusterFaults, drawn_faults
from tests.virtual.transport import VirtualTransport

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


class WatchedBackend(GroupBackend):
    """Notes in the world what it is sent to launch, and which failures it tells."""

    def __init__(self, world: World, transport: VirtualTransport) -> None:
        spec, storage = world.spec, world.cluster.storage
        factory = WorkerGroupFactory(spec, "/virtual", "virtual:Executor", transport)
        super().__init__(spec, transport, factory, lambda run_id, _: storage.of_run(run_id))
        self._world = world

    def adopt(self, epoch: int) -> list[Launch]:
        lives = len(self._world.endings)
        launches = super().adopt(epoch)
        if len(self._world.endings) == lives:  # no other driver came meanwhile
            self._world.cluster.check_groups()
        return launches

    def launch(self, launch: Launch) -> None:
        world = self._world
        world.launched.append((launch.run_id, launch.attempt))
        if f"started:{launch.run_id}:{launch.attempt}" not in world.store.ids:
            world.undecided.append(launch)
        super().launch(launch)

    def poll(self, timeout_s: float) -> list[Report]:
        reports = super().poll(timeout_s)
        for report in reports:
            if report.failure is not None:
                attempt = (report.run_id, report.attempt)
                self._world.failures_told_s.setdefault(attempt, self._world.cluster.time.now_s)
        return reports


class SlowCircle(CircleOracle):
    """Checkpoints of some seconds, so that storage is back before many runs end."""

    seconds = 6.0

    def launch(
        self, proposal: Proposal, rng: np.random.Generator
    ) -> list[tuple[float, list[float]]]:
        noise = rng.normal(0.0, 0.02, 2)
        answer = super().launch(proposal, rng)
        return [(self.seconds * cost, (np.asarray(s) + noise).tolist()) for cost, s in answer]


class QuickCircle(SlowCircle):
    """The same, for worlds in which little goes wrong."""

    seconds = 2.0


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
            "resources": {"ranks": 1 + int(rng.random() < 0.3)},
            "limits": {
                "silent_s": 12.0,
                "heartbeat_s": 8.0,
                "orphan_s": 40.0,
                "losses": int(rng.integers(1, 6)),
            },
        },
    )


@dataclass
class World:
    """One sweep and everything around it.

    Attributes:
        endings: How each driver ended.
        launched: What drivers sent to worker groups, in order.
        launched_by: How many launches there were when each driver ended.
        undecided: Launches whose decision was not in the ledger.
        failures_told_s: When a driver was told first that an attempt had failed.
        acknowledged: Rows that a ledger has told some driver to be there.
        workers_answer: Whether workers live on and are in reach whatever happens.
        absences: How often no driver came for so long that every worker had to go.
        oracle_class: What is trained and evaluated.
        ledger_class, driver_class, backend_class: Replaced where the checks themselves are tested.
    """

    spec: SweepSpec
    faults: ClusterFaults
    fate: Fate
    rng: np.random.Generator
    oracle_class: type[Oracle] = SlowCircle
    ledger_class: type[ChaosLedger] = ChaosLedger
    driver_class: type[Driver] = Driver
    backend_class: type[WatchedBackend] = WatchedBackend
    store: MemoryStore = field(default_factory=MemoryStore)
    endings: list[str] = field(default_factory=list)
    acknowledged: list[Event] = field(default_factory=list)
    launched: list[tuple[str, int]] = field(default_factory=list)
    launched_by: list[int] = field(default_factory=list)
    undecided: list[Launch] = field(default_factory=list)
    failures_told_s: dict[tuple[str, int], float] = field(default_factory=dict)
    workers_answer: bool = False
    absences: int = 0
    _away_until_s: float = -1.0
    _depth: int = 0

    def __post_init__(self) -> None:
        self.cluster = VirtualCluster(
            self.spec,
            self.oracle_class(),
            self.faults,
            nodes=(2, 4),
            seed=int(self.rng.integers(2**31)),
        )

    def run(self) -> None:
        """Let one driver follow another until the sweep is done, then open it once more."""
        while not self._ends():
            mean_s = float(self.rng.choice([1.0, 10.0, 60.0]))
            self.cluster.pass_time(float(self.rng.exponential(mean_s)))
            if self.rng.random() < 0.04:
                self._leave_alone()
        self.cluster.pass_time(1000.0)
        while not self._ends():
            pass
        self.cluster.pass_time(2000.0)

    def _leave_alone(self) -> None:
        """Let no driver come for so long that every worker must have saved its run and gone."""
        cluster, orphan_s = self.cluster, self.spec.engine.limits.orphan_s
        cluster.calm_s += orphan_s + 2 * SAVE_S
        self.absences += 1
        cluster.pass_time(orphan_s + 2 * SAVE_S + 60.0)
        assert not cluster.processes, f"orphans stay: {list(cluster.processes)}"

    def _ends(self) -> bool:
        """Let one driver live; return whether nothing is left to do for another."""
        assert len(self.endings) < LAST_LIFE, f"never ends: {self.endings}"
        lives = len(self.endings)
        if self.live() != "done" or len(self.endings) > lives + 1:  # a rival may leave something
            return False
        early = bool(self.store.events[-1].payload.get(AGAIN))
        self.endings[-1] = "stopped early" if early else "done"
        return not early

    def live(self) -> str:
        """Let one driver live; return how it ended."""
        ledger = self.ledger_class(self.store, self._meet)
        known = self.store.ids
        hooks = Hooks(recover=lambda: self.cluster.storage.beyond(known))
        proposer = build(self.spec.proposer, m=2, runs=self.spec.stop.runs)
        backend = self.backend_class(self, VirtualTransport(self.cluster, self._call))
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
        except WorkerError as error:
            if "by chance" not in str(error) and "no worker gets to work" not in str(error):
                raise
            ending = "no worker"
        except LedgerError as error:
            if "away" not in str(error):
                raise
            ending = "gave up"
        self.endings[place] = ending
        self.launched_by.append(len(self.launched))
        self.acknowledged += ledger.acknowledged
        return ending

    def _call(self, what: str) -> None:
        """Meet what befalls a driver as it calls the cluster."""
        if self.cluster.time.now_s < self._away_until_s:
            what = "away"
        match self.fate.at_call(what) if len(self.endings) <= FAULTY_LIVES else None:
            case Blow.KILL:
                raise Killed
            case Blow.RIVAL:
                self._rival()

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
                longest_s = 300.0 if self.rng.random() < 0.5 else 30.0  # a driver waits for 180 s
                self._away_until_s = now_s + float(self.rng.uniform(0.0, longest_s))
                raise LedgerError("simulated storage is away")
            case Blow.RIVAL:
                self._rival()

    def _rival(self) -> None:
        if self._depth < 2:
            self._depth += 1
            self.live()
            self._depth -= 1


def world_of(seed: int, **instead: Any) -> World:
    """Return the world of a seed before anything has happened, with other parts where given."""
    rng = rng_of("chaos", seed)
    parts = {"spec": drawn_spec(rng, seed), "faults": drawn_faults(rng), "fate": DrawnFate(rng)}
    return World(**{**parts, **instead}, rng=rng)


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
        raise AssertionError(f"{story}: {type(error).__name__}: {error}") from error
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
        world.failures_told_s,
    )
    check_costs(events, state)
    fronts = [world.store.fronts[n] for n in sorted(world.store.fronts)]
    check_fronts(events, fronts, cluster.problem, state)
    assert not world.undecided, f"launched, but not decided: {world.undecided}"
    assert len(world.launched) == len(set(world.launched)), "an attempt was launched twice"
    trained = cluster.executed
    assert len(trained) == len(set(trained)), "two worker groups trained the same attempt"
    assert not cluster.unfenced, f"an older driver was obeyed: {cluster.unfenced}"
    assert not cluster.orphaned, f"trained without a driver: {cluster.orphaned}"
    check_what_was_given_up(events, cluster.trained)
    check_told_failures(events, cluster.failed)
    if world.workers_answer:
        check_told_alike(events, [(run, attempt, why) for _, run, attempt, _, why in cluster.ends])
    left = [*cluster.processes, *cluster.placements]
    assert not left, f"resources were never given back: {left}"
