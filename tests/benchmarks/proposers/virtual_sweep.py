"""A sweep in virtual time, without a ledger: proposes, waits, measures, scores the claims."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from paretoflow.core.cost import Cost
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.ids import snapshot_id_of
from paretoflow.core.launch import Launch, PriorEvaluation
from paretoflow.core.protocols import Proposer
from paretoflow.core.status import RunStatus
from paretoflow.core.values import FloatArray, History, LaunchKind, Proposal, RunRecord
from paretoflow.engine.oracles import AnyOracle
from paretoflow.engine.simulation.oracle_answers import Answers, CheckedPoint
from paretoflow.front.dominance import nondominated
from tests.benchmarks.proposers.problems import Target
from tests.benchmarks.proposers.weather import Luck, Weather
from tests.histories import problem_of

HOUR = 3600.0
EVALUATION = 0.05
"""Of a run's usual time: what evaluating a checkpoint once more takes."""
LOOKS = 1_000_000
"""Where the luck of further evaluations begins, so that runs keep theirs."""
PENDING, BASE = -2, -1
PATIENCE_S = 120.0
"""Real seconds that a sweep's decisions may take in all."""


@dataclass(frozen=True)
class Row:
    """An evaluated snapshot.

    Args:
        run: Number of the run; `BASE` for the base.
        snapshot: Name of what was evaluated.
        seen: What the proposer sees, shape (m,): the mean over the draws.
        truth: What it is, shape (m,).
        error: Standard error of each draw, shape (m,).
        draws: How often it was evaluated.
    """

    run: int
    snapshot: str
    seen: FloatArray
    truth: FloatArray
    error: FloatArray
    draws: int = 1


@dataclass(order=True)
class Coming:
    """Something that will happen: a checkpoint, or a run's end."""

    at: float
    run: int
    checkpoint: int
    worker: int = field(compare=False)


@dataclass
class Curve:
    """Progress of a sweep, after each ended run.

    Attributes:
        shares: True hypervolume of the proposer's claims, as a share of the front's.
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
    error, the frozen ends. A free worker is given the next launch at once. Evaluating a snapshot
    again takes a twentieth of a run, and is not counted as one.

    Args:
        target: The front, which scores are measured by.
        oracle: Answers the launches.
        weather: Noise, failures and times.
        runs: Budget of training runs; failed ones count.
    """

    def __init__(self, target: Target, oracle: AnyOracle, weather: Weather, runs: int) -> None:
        self._target = target
        self._oracle = oracle
        self._truth: Callable[[Any], FloatArray] | None = getattr(oracle, "truth", None)
        self._weather = weather
        self._runs = runs
        self._problem = problem_of(target.m)
        self._proposals: list[Proposal] = []
        self._records: dict[int, RunRecord] = {}
        self._rows: list[Row] = []
        self._coming: list[Coming] = []
        self._found: dict[int, list[CheckedPoint]] = {}
        self._luck: dict[int, Luck] = {}
        self._now = 0.0
        self._claims: tuple[frozenset[str], float] = (frozenset(), 0.0)
        self._answers = Answers(oracle, self._problem, weather.seed)
        base = self._answers.of_base()
        if base is not None:
            self._add(BASE, "base", base, weather.luck(-1, target.m), lossless=True)

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
                if not is_look(self._proposals[event.run]):
                    curve.shares.append(self._share())
                    curve.hours.append(self._now)
        return curve

    def history(self) -> History:
        """Return the present history for a proposer."""
        m = self._target.m
        ended = sorted(self._records)
        place = {run: i for i, run in enumerate(ended)} | {BASE: BASE}
        gains = np.array([r.seen for r in self._rows], dtype=np.float64).reshape(-1, m)
        return History(
            problem=self._problem,
            runs=tuple(self._records[run] for run in ended),
            gains=gains,
            stderr=self._errors().reshape(-1, m),
            run_index=np.array([place.get(r.run, PENDING) for r in self._rows], dtype=np.int64),
            snapshot_ids=tuple(r.snapshot for r in self._rows),
            front=np.flatnonzero(nondominated(gains)),
            ref=self._problem.ref_scores,
            ideal=np.ones(m),
            nadir=np.zeros(m),
        )

    def _errors(self) -> FloatArray:
        """Return the standard errors of each row: they fall with the draws."""
        return np.array([r.error / np.sqrt(r.draws) for r in self._rows], dtype=np.float64)

    def _launch(self, proposer: Proposer, seed: int, idle: list[int], curve: Curve) -> None:
        trained = sum(not is_look(p) for p in self._proposals)
        room = min(len(idle), self._runs - trained)
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
        look = is_look(proposal)
        before = sum(is_look(p) == look for p in self._proposals) - 1
        luck = self._weather.luck(before + LOOKS * look, self._target.m)
        self._luck[run] = luck
        slow = self._weather.straggler if worker == 0 else 1.0
        usual = EVALUATION if look else 1.0
        hours = luck.hours * slow * usual
        found = [] if luck.fails else self._answer(run, proposal)
        self._found[run] = found
        whole, spent = sum(point.evaluation.cost.wall_s for point in found), 0.0
        for number, point in enumerate(found):
            spent += point.evaluation.cost.wall_s
            at = self._now + spent / whole * hours
            heapq.heappush(self._coming, Coming(at, run, number, worker))
        heapq.heappush(self._coming, Coming(self._now + hours, run, len(found), worker))

    def _answer(self, run: int, proposal: Proposal) -> list[CheckedPoint]:
        """Return the oracle's answer; a re-evaluation has the same truth, or new answers."""
        if not is_look(proposal):
            return self._answers.of(Launch(run_name(run), 0, proposal))
        name = str(proposal.parent)
        row = next(r for r in self._rows if r.snapshot == name)
        if self._truth is None:
            exact = Evaluation(
                scores=row.truth,
                stderr=np.zeros(len(row.truth)),
                prompt_scores=row.truth[:, None],
                n=1,
                cost=Cost(1.0, 1.0),
            )
            return [CheckedPoint(exact)]
        known = PriorEvaluation(name, run_name(row.run), 0, 1, row.draws, "", False, None)
        return self._answers.of(Launch(run_name(run), 0, proposal, known=known))

    def _happen(self, event: Coming) -> bool:
        """Record a checkpoint or a run's end; return whether it was the end."""
        run, found = event.run, self._found[event.run]
        if event.checkpoint < len(found):
            self._measure(run, event.checkpoint, found[event.checkpoint])
            return False
        status = RunStatus.FINISHED if found else RunStatus.FAILED
        hours = self._luck[run].hours * (EVALUATION if is_look(self._proposals[run]) else 1.0)
        cost = Cost(wall_s=hours * HOUR, device_s=hours * HOUR)
        self._records[run] = RunRecord(run_name(run), self._proposals[run], status, cost=cost)
        return True

    def _measure(self, run: int, number: int, found: CheckedPoint) -> None:
        luck, proposal = self._luck[run], self._proposals[run]
        if is_look(proposal):
            self._pool(str(proposal.parent), self._seen(found.evaluation.scores, luck))
        else:
            # the names that the oracle's checkpoints have: steps count from 1
            self._add(run, snapshot_id_of(run_name(run), 0, number + 1), found, luck)

    def _add(
        self, run: int, name: str, found: CheckedPoint, luck: Luck, *, lossless: bool = False
    ) -> None:
        """Add a row, with the weather's noise if scores are not those of prompts."""
        if self._truth is not None:
            scored = found.evaluation
            truth = self._truth(found.state)
            self._rows.append(Row(run, name, scored.scores, truth, scored.stderr))
            return
        truth = found.evaluation.scores - (0.0 if lossless else luck.loss)
        error = np.full(len(truth), self._weather.noise)
        self._rows.append(Row(run, name, self._seen(truth, luck), truth, error))

    def _seen(self, scores: FloatArray, luck: Luck) -> FloatArray:
        return scores if self._truth is not None else self._weather.measured(scores, luck)

    def _pool(self, snapshot: str, seen: FloatArray) -> None:
        """Let a further draw change its snapshot's row."""
        place = next(i for i, r in enumerate(self._rows) if r.snapshot == snapshot)
        row = self._rows[place]
        mean = (row.draws * row.seen + seen) / (row.draws + 1)
        self._rows[place] = replace(row, seen=mean, draws=row.draws + 1)

    def _share(self) -> float:
        """Return the true share of the hypervolume that the claimed set has."""
        rows = claimed(self._rows)
        names = frozenset(row.snapshot for row in rows)
        if names != self._claims[0]:
            gains = np.array([row.truth for row in rows]).reshape(-1, self._target.m)
            self._claims = names, self._target.share(gains)
        return self._claims[1]


def run_name(run: int) -> str:
    """Return the name of a sweep's run."""
    return f"r{run:04d}"


def is_look(proposal: Proposal) -> bool:
    """Return whether a launch only evaluates a snapshot again."""
    return proposal.kind is LaunchKind.REEVALUATE


def claimed(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that are not dominated by what was seen, one for each distinct point."""
    if not rows:
        return []
    kept = nondominated(np.array([row.seen for row in rows]))
    return [row for row, keep in zip(rows, kept, strict=True) if keep]
