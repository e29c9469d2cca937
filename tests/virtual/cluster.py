"""Nodes, placements and processes in virtual time; they go on when a driver dies."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop
from random import Random
from typing import Any

from paretoflow.core.errors import WorkerError
from paretoflow.core.status import Boundary
from paretoflow.core.values import Problem
from paretoflow.engine.cluster.dashboard import ClusterNode
from paretoflow.engine.failures.attribution import death_of
from paretoflow.engine.groups.worker import WorkerConfig
from paretoflow.engine.messages import Cause, Failure
from paretoflow.engine.oracles import AnyOracle
from paretoflow.engine.simulation.clock import VirtualTime
from paretoflow.engine.simulation.oracle_answers import Answers
from paretoflow.engine.simulation.storage import SimulatedStorage, in_order
from paretoflow.ledger.tables import Event
from paretoflow.scoring.calibrate import declared_problem
from paretoflow.spec.sweep import SweepSpec
from tests.virtual.faults import CALM, ClusterFaults
from tests.virtual.process import Process

LOST = Failure(Boundary.WORKER, "the worker's node was lost", retryable=True, cause=Cause.LOST)
DAY_S = 86_400.0
"""A sweep that is not over by then never ends."""


class NeverEndsError(AssertionError):
    """A driver waits for something that does not come."""


class SteppedTime(VirtualTime):
    """Virtual time that a driver can also wait in."""

    def run_until(self, found: Callable[[], bool], until_s: float) -> None:
        """Let things happen until something is found, or up to a time."""
        queue = self._queue
        while not found():
            if not queue or queue[0][0] > until_s:
                self.now_s = max(self.now_s, until_s)
                break
            self.now_s = at_s = max(self.now_s, queue[0][0])
            while queue and queue[0][0] <= at_s:  # with all that falls on the same instant
                _, _, unless, act = heappop(queue)
                if not unless():
                    act()
        if self.now_s > DAY_S:
            raise NeverEndsError(f"a day has passed: {self.now_s:g} s")


class DatedStorage(SimulatedStorage):
    """Outlives drivers too, and remembers when each row was written."""

    def __init__(self, time: VirtualTime) -> None:
        super().__init__()
        self._time = time
        self.written_s: dict[str, float] = {}

    def write(self, events: list[Event]) -> None:  # type: ignore[override]
        super().write(events)
        for event in events:
            self.written_s.setdefault(event.event_id, self._time.now_s)

    def __iter__(self) -> Iterator[Event]:
        return (row for rows in self._rows.values() for row in rows.values())

    def beyond(self, known: Collection[str]) -> list[Event]:
        """Return the rows of all fragments except known ones, by run, attempt and step."""
        return in_order([row for row in self if row.event_id not in known])


@dataclass(eq=False)
class VirtualNode:
    """A machine with CPUs.

    Attributes:
        free: CPUs that no placement holds.
        ends_s: When it is to be taken away; None where nobody said so.
    """

    name: str
    cpus: int
    free: int
    ends_s: float | None = None


@dataclass(eq=False)
class VirtualPlacement:
    """The resources of one worker group: a CPU for each rank.

    Attributes:
        nodes: The node of each rank; empty until there is room.
        doomed: Whether a driver, or a worker, has asked for its removal.
        removed: Whether its resources were given back.
        waiting: Called once it is placed.
    """

    name: str
    bundles: int
    one_node: bool
    nodes: list[VirtualNode] = field(default_factory=list)
    doomed: bool = False
    removed: bool = False
    waiting: list[Callable[[], None]] = field(default_factory=list)


class VirtualCluster:
    """What a sweep's drivers share.

    Args:
        nodes: How many machines there are, and CPUs on each.

    Attributes:
        executed: The (run, attempt) pairs that first ranks began to train, in order.
        befell: How often each kind of fault happened.
        unfenced: What a worker did for a driver after it had heard a newer one.
        orphaned: What was trained although no driver had called for too long.
        trained: Each sign of life of an attempt: when, run, attempt, and until when its process was
            cut off.
        ends: Each attempt that ended in a failure: when, run, attempt, its process, and why.
    """

    def __init__(
        self,
        spec: SweepSpec,
        oracle: AnyOracle,
        faults: ClusterFaults = CALM,
        *,
        nodes: tuple[int, int] = (2, 4),
        seed: int = 0,
    ) -> None:
        self.spec, self.faults = spec, faults
        self.problem: Problem = declared_problem(spec.objectives)
        self.time = SteppedTime(0.0)
        self.storage = DatedStorage(self.time)
        self.answers = Answers(oracle, self.problem, spec.seed)
        self.rng = Random(seed)
        self.calm_s = faults.calm_s
        self.executed: list[tuple[str, int]] = []
        self.befell: Counter[str] = Counter()
        self.unfenced: list[str] = []
        self.orphaned: list[str] = []
        self.trained: list[tuple[float, str, int, float]] = []
        self.ends: list[tuple[float, str, int, Process, str]] = []
        self.courses: dict[tuple[str, str, int], Any] = {}
        self._count, self._cpus = nodes
        self._numbers = 0
        self._nodes: list[VirtualNode] = []
        self.placements: dict[str, VirtualPlacement] = {}
        self.processes: dict[str, Process] = {}
        self._queue: deque[VirtualPlacement] = deque()
        for _ in range(self._count):
            self._join()
        if faults.every_s:
            self._plan_blow()

    @property
    def failed(self) -> Iterator[tuple[float, str, int, float | None]]:
        """Iterate over `ends`, with the time from which on nobody reached the process."""
        for time_s, run_id, attempt, process, _ in self.ends:
            cut_off = process.cut_until_s > time_s
            yield time_s, run_id, attempt, time_s if cut_off else process.ended_s

    @property
    def calm(self) -> bool:
        """Return whether nothing goes wrong any more."""
        return self.time.now_s >= self.calm_s

    def befalls(self, fault: str, times: float = 1.0) -> bool:
        """Draw whether a fault of `ClusterFaults` happens now; its field is a probability."""
        chance: float = times * getattr(self.faults, fault)
        if not chance or self.calm or self.rng.random() >= chance:
            return False
        self.befell[fault] += 1
        return True

    def drawn_s(self, mean_s: float) -> float:
        """Draw how long something takes."""
        return self.rng.expovariate(1.0) * mean_s

    def pass_time(self, seconds: float) -> None:
        """Let time pass without any driver."""
        self.time.run_to(self.time.now_s + seconds)

    def nodes(self) -> tuple[list[ClusterNode], list[ClusterNode]]:
        """Return the living nodes, whole and with what is free on them."""
        whole = [ClusterNode(n.name, {"CPU": float(n.cpus)}) for n in self._nodes]
        return whole, [ClusterNode(n.name, {"CPU": float(n.free)}) for n in self._nodes]

    def draining(self) -> dict[str, int]:
        """Return the nodes that are to be taken away."""
        return {n.name: int(n.ends_s * 1000) for n in self._nodes if n.ends_s is not None}

    def place(self, name: str, *, one_node: bool) -> VirtualPlacement:
        """Put a placement into the queue for resources."""
        ranks = self.spec.engine.resources.ranks
        made = self.placements[name] = VirtualPlacement(name, ranks, one_node)
        self._queue.append(made)
        self.time.plan(self.drawn_s(0.05), self._place_all)
        return made

    def remove(self, placement: VirtualPlacement) -> None:
        """Give resources back; what runs there ends, once its node hears of it."""
        if placement.removed:
            return
        placement.doomed = placement.removed = True
        del self.placements[placement.name]
        for process in list(self.processes.values()):
            if process.placement is placement:
                process.kill()
        for node in placement.nodes:
            node.free += 1
        self._place_all()

    def check_groups(self) -> None:
        """Check the groups that a new driver has kept: one for each slot, of one mind.

        Raises:
            AssertionError: If there are two of one slot, or if a launch reached some ranks only.
        """
        kept = [p for p in self.placements.values() if not p.doomed]
        slots = [p.name.split("-")[0] for p in kept]
        assert len(slots) == len(set(slots)), f"two worker groups for one slot: {kept}"
        for placement in kept:
            ranks = [p for p in self.processes.values() if p.placement is placement]
            launches = {p.begun for p in ranks}
            assert len(launches) <= 1, f"{placement.name}: a launch of some ranks only: {launches}"

    def start(self, name: str, config: WorkerConfig, placement: VirtualPlacement) -> Process:
        """Start a process once its placement is there."""
        process = self.processes[name] = Process(self, name, config, placement)
        if placement.removed:  # another driver came in between
            self.time.plan(self.drawn_s(0.05), partial(process.end, LOST))
        placement.waiting.append(process.start)
        return process

    def lose(self, node: VirtualNode) -> None:
        """Take a node away with all that runs on it; another joins after a while."""
        if node not in self._nodes:
            return
        self._nodes.remove(node)
        for process in list(self.processes.values()):
            if process.node is node:
                process.end(LOST)
        self.time.plan(self.drawn_s(self.faults.keep_s), self._join)

    def drain(self, node: VirtualNode) -> None:
        """Tell that a node goes soon, then take it away."""
        if node.ends_s is None and node in self._nodes:
            node.ends_s = self.time.now_s + self.faults.notice_s
            self.time.plan(self.faults.notice_s, partial(self.lose, node))

    def _join(self) -> None:
        if len(self._nodes) < self._count:
            self._numbers += 1
            self._nodes.append(VirtualNode(f"node{self._numbers}", self._cpus, self._cpus))
            self._place_all()

    def _place_all(self) -> None:
        left: deque[VirtualPlacement] = deque()
        for placement in self._queue:
            if placement.removed:
                continue
            nodes = self._room(placement)
            if nodes is None:
                left.append(placement)
                continue
            for node in nodes:
                node.free -= 1
            placement.nodes = nodes
            for act in placement.waiting:
                self.time.plan(self.drawn_s(0.05), act)
        self._queue = left

    def _room(self, placement: VirtualPlacement) -> list[VirtualNode] | None:
        open_nodes = [n for n in self._nodes if n.ends_s is None]
        for node in open_nodes:
            if node.free >= placement.bundles:
                return [node] * placement.bundles
        if placement.one_node:
            return None
        free = [n for n in open_nodes for _ in range(n.free)]
        return free[: placement.bundles] if len(free) >= placement.bundles else None

    def _plan_blow(self) -> None:
        self.time.plan(self.drawn_s(self.faults.every_s), self._blow, lambda: self.calm)

    def _blow(self) -> None:
        blows = [self._kill_one, self._cut_one_off, self._lose_one, self._drain_one]
        blow = blows[self.rng.randrange(len(blows))]
        self.befell[blow.__name__.strip("_")] += 1
        blow()
        self._plan_blow()

    def _running(self) -> Iterator[Process]:
        return (p for p in self.processes.values() if p.node is not None)

    def _one(self, among: list[Any]) -> Any:
        return among[self.rng.randrange(len(among))] if among else None

    def _kill_one(self) -> None:
        process = self._one(list(self._running()))
        if process is not None:
            process.end(death_of(WorkerError("the worker died: killed by chance")))

    def _cut_one_off(self) -> None:
        process = self._one(list(self._running()))
        if process is not None:
            process.cut_off(self.drawn_s(self.faults.keep_s))

    def _lose_one(self) -> None:
        node = self._one(self._nodes)
        if node is not None:
            self.lose(node)

    def _drain_one(self) -> None:
        node = self._one(self._nodes)
        if node is not None:
            self.drain(node)
