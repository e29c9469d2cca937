"""A sweep in virtual time, without a ledger: asks, waits, measures, scores what is claimed."""

from __future__ import annotations

import heapq
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from paretoflow.core.ids import snapshot_id_of
from paretoflow.core.protocols import Proposer
from paretoflow.core.status import RunStatus
from paretoflow.core.values import Cost, FloatArray, History, LaunchKind, Proposal, RunRecord
from paretoflow.front.dominance import nondominated
from tests.benchmarks.proposers.oracles import Found, Oracle
from tests.benchmarks.proposers.problems import Target
from tests.benchmarks.proposers.weather import Luck, Weather
from tests.histories import problem_of

HOUR = 3600.0
EVALUATION = 0.05
"""Of a run's usual time: what evaluating a checkpoint once more takes."""
PENDING, BASE = -2, -1
PATIENCE_S = 120.0
"""Real seconds that a sweep's decisions may take in all."""


@dataclass(frozen=True)
class Row:
    """One evaluation.

    Args:
        run: Number of the run; `BASE` for the base.
        snapshot: Name of what was evaluated.
        seen: What the proposer sees, shape (m,).
        truth: What it is, shape (m,).
    """

    run: int
    snapshot: str
    seen: FloatArray
    truth: FloatArray


@dataclass(order=True)
class Coming:
    """Something that will happen: a checkpoint, or a run's end."""

    at: float
    run: int
    checkpoint: int
    worker: int = field(compare=False)


@dataclass
class Curve:
    """What a sweep reached, after each ended run.

    Attributes:
        shares: True hypervolume of what the proposer claims, as a share of the front's.
        hours: Virtual time of each.
        think_s: Real seconds that decisions took in all.
        decisions: How many launches were chosen.
        kinds: Launches by kind.
        gave_up: Why the sweep was not run to its end; empty if it was.
    """

    shares: list[float] = field(default_factory=list)
    hours: list[float] = field(default_factory=list)
    think_s: float = 0.0
    decisions: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    gave_up: str = ""


class VirtualSweep:
    """One sweep.

    A proposer sees what it would in a real one: ended runs, every evaluation with its standard
    error, the frozen ends. A free worker is given the next launch at once.

    Args:
        target: The front, which scores are measured by.
        oracle: Answers the launches.
        weather: Noise, failures and times.
        runs: Budget; failed runs count.
    """

    def __init__(self, target: Target, oracle: Oracle, weather: Weather, runs: int) -> None:
        self._target = target
        self._oracle = oracle
        self._weather = weather
        self._runs = runs
        self._problem = problem_of(target.m)
        self._proposals: list[Proposal] = []
        self._records: dict[int, RunRecord] = {}
        self._rows: list[Row] = []
        self._states: dict[str, FloatArray] = {}
        self._coming: list[Coming] = []
        self._found: dict[int, list[Found]] = {}
        self._luck: dict[int, Luck] = {}
        self._now = 0.0
        self._claims: tuple[frozenset[str], float] = (frozenset(), 0.0)
        if oracle.base is not None:
            luck = weather.luck(-1, target.m)
            seen = weather.measured(oracle.base.gains, luck)
            self._rows.append(Row(BASE, "base", seen, oracle.base.gains))

    def swept(self, proposer: Proposer, seed: int) -> Curve:
        """Run it; return what was reached."""
        curve = Curve()
        idle = list(range(self._weather.workers))
        while not curve.gave_up:
            self._launch(proposer, seed, idle, curve)
            if not self._coming:
                return curve
            event = heapq.heappop(self._coming)
            self._now = event.at
            if self._happen(event):
                idle.append(event.worker)
                curve.shares.append(self._share())
                curve.hours.append(self._now)
        return curve

    def history(self) -> History:
        """Return what a proposer may look at now."""
        m = self._target.m
        ended = sorted(self._records)
        place = {run: i for i, run in enumerate(ended)} | {BASE: BASE}
        gains = np.array([r.seen for r in self._rows], dtype=np.float64).reshape(-1, m)
        return History(
            problem=self._problem,
            runs=tuple(self._records[run] for run in ended),
            gains=gains,
            stderr=np.full_like(gains, self._weather.noise),
            run_index=np.array([place.get(r.run, PENDING) for r in self._rows], dtype=np.int64),
            snapshot_ids=tuple(r.snapshot for r in self._rows),
            front=np.flatnonzero(nondominated(gains)),
            ref=self._problem.ref_scores,
            ideal=np.ones(m),
            nadir=np.zeros(m),
        )

    def _launch(self, proposer: Proposer, seed: int, idle: list[int], curve: Curve) -> None:
        room = min(len(idle), self._runs - len(self._proposals))
        if room <= 0:
            return
        pending = [p for i, p in enumerate(self._proposals) if i not in self._records]
        history = self.history()
        started = time.process_time()
        chosen = proposer.propose(history, pending, room, seed)
        curve.think_s += time.process_time() - started
        curve.decisions += len(chosen)
        if curve.think_s > PATIENCE_S:
            curve.gave_up = f"{curve.decisions} decisions took {curve.think_s:.0f} s"
        for proposal in chosen:
            curve.kinds[proposal.kind.value] = curve.kinds.get(proposal.kind.value, 0) + 1
            self._begin(proposal, idle.pop(0))

    def _begin(self, proposal: Proposal, worker: int) -> None:
        run = len(self._proposals)
        self._proposals.append(proposal)
        luck = self._luck[run] = self._weather.luck(run, self._target.m)
        slow = self._weather.straggler if worker == 0 else 1.0
        usual = EVALUATION if proposal.kind is LaunchKind.REEVALUATE else 1.0
        hours = luck.hours * slow * usual
        found = [] if luck.fails else self._answer(proposal, run)
        self._found[run] = found
        for number, checkpoint in enumerate(found):
            at = self._now + checkpoint.part * hours
            heapq.heappush(self._coming, Coming(at, run, number, worker))
        heapq.heappush(self._coming, Coming(self._now + hours, run, len(found), worker))

    def _answer(self, proposal: Proposal, run: int) -> list[Found]:
        rng = np.random.default_rng(proposal.seed)
        parent = None if proposal.parent is None else self._states[proposal.parent]
        return self._oracle.run(proposal, parent, rng)

    def _happen(self, event: Coming) -> bool:
        """Record a checkpoint or a run's end; return whether it was the end."""
        run, found = event.run, self._found[event.run]
        if event.checkpoint < len(found):
            self._measure(run, event.checkpoint, found[event.checkpoint])
            return False
        status = RunStatus.FINISHED if found else RunStatus.FAILED
        hours = self._luck[run].hours
        cost = Cost(wall_s=hours * HOUR, device_s=hours * HOUR)
        self._records[run] = RunRecord(f"r{run:04d}", self._proposals[run], status, cost=cost)
        return True

    def _measure(self, run: int, number: int, found: Found) -> None:
        luck = self._luck[run]
        truth = found.gains - luck.loss
        snapshot = snapshot_id_of(f"r{run:04d}", 0, number)
        self._states[snapshot] = found.state
        self._rows.append(Row(run, snapshot, self._weather.measured(truth, luck), truth))

    def _share(self) -> float:
        """Return the true share of the hypervolume that the claimed set has."""
        rows = claimed(self._rows)
        names = frozenset(row.snapshot for row in rows)
        if names != self._claims[0]:
            gains = np.array([row.truth for row in rows]).reshape(-1, self._target.m)
            self._claims = names, self._target.share(gains)
        return self._claims[1]


def claimed(rows: Sequence[Row]) -> list[Row]:
    """Return a row of each snapshot that is not dominated by its observed mean.

    By hand: one seen at (1, 0) and again at (0, 1) is at (.5, .5): another at (.6, .6) beats it.
    """
    seen: dict[str, list[Row]] = {}
    for row in rows:
        seen.setdefault(row.snapshot, []).append(row)
    if not seen:
        return []
    means = np.array([np.mean([r.seen for r in same], axis=0) for same in seen.values()])
    kept = nondominated(means)
    return [same[0] for same, keep in zip(seen.values(), kept, strict=True) if keep]
