"""Histories made by hand, and sweeps without an engine on an oracle with a known front."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from paretoflow.core.ids import run_id_of, snapshot_id_of
from paretoflow.core.protocols import Proposer
from paretoflow.core.status import RunStatus
from paretoflow.core.values import (
    Direction,
    FloatArray,
    History,
    LaunchKind,
    ObjectiveInfo,
    Problem,
    Proposal,
    RunRecord,
    WeightVector,
)
from paretoflow.front.dominance import nondominated
from paretoflow.front.hypervolume import hypervolume

NAMES = ("coverage", "brevity", "grounding", "warmth", "candour", "calm", "wit", "poise")
Row = tuple[int, Sequence[float]]
"""Index of a run (-1 for the base, -2 for a pending run) and its gains."""


def problem_of(m: int, low: float = 0.0, high: float = 1.0) -> Problem:
    """Return m maximised objectives with one range; the reference is a tenth of it below."""
    ref = low - 0.1 * (high - low)
    return Problem(
        tuple(ObjectiveInfo(n, Direction.MAXIMIZE, "", low, high, ref) for n in NAMES[:m])
    )


def weighted(values: Sequence[float], seed: int = 0, tag: str = "initial") -> Proposal:
    """Return a weighted launch of some proposer."""
    return Proposal(
        LaunchKind.WEIGHTED, WeightVector.of(values), seed, "Because.", "by hand", tag=tag
    )


def history_of(
    problem: Problem,
    proposals: Sequence[Proposal] = (),
    rows: Sequence[Row] = (),
    *,
    stderr: float | FloatArray = 0.0,
    failed: Sequence[int] = (),
) -> History:
    """Return a history of ended runs and their evaluations; the runs in `failed` have failed.

    `stderr` is one number for all, or of shape (n, 1) or (n, m).
    """
    m = problem.m
    statuses = [
        RunStatus.FAILED if i in failed else RunStatus.FINISHED for i in range(len(proposals))
    ]
    runs = tuple(
        RunRecord(run_id_of(i, p.to_dict()), p, s)
        for i, (p, s) in enumerate(zip(proposals, statuses, strict=True))
    )
    gains = np.array([g for _, g in rows], dtype=np.float64).reshape(-1, m)
    run_index = np.array([i for i, _ in rows], dtype=np.int64)
    names = (
        "base" if i == -1 else snapshot_id_of(f"r{i:04d}", 0, n) for n, (i, _) in enumerate(rows)
    )
    low, high = problem.objectives[0].low, problem.objectives[0].high
    history = History(
        problem=problem,
        runs=runs,
        gains=gains,
        stderr=np.full_like(gains, stderr),
        run_index=run_index,
        snapshot_ids=tuple(names),
        front=np.flatnonzero(nondominated(gains)),
        ref=problem.ref_scores,
        ideal=np.full(m, high),
        nadir=np.full(m, low),
    )
    for array in (gains, history.stderr, run_index, history.front, history.ref, history.ideal):
        array.flags.writeable = False
    return history


@dataclass
class Front:
    """An exact oracle: a run returns the best point of a known front for its launch.

    A weighted run returns the row with the largest weighted sum. A constrained run returns the row
    with the largest target among those that keep the thresholds, or its parent's row if none does.
    A re-evaluation returns its parent's row.

    Args:
        gains: The whole front, shape (n, m), in the unit cube.
        noise: Standard deviation of the noise in the observed gains.
        failures: Share of runs that fail.
    """

    gains: FloatArray
    noise: float = 0.0
    failures: float = 0.0
    known: dict[str, int] = field(default_factory=dict)

    def answer(self, proposal: Proposal) -> int:
        """Return the row of the front for a launch."""
        if proposal.kind is LaunchKind.REEVALUATE:
            return self.known[proposal.parent or ""]
        if proposal.target is None or proposal.thresholds is None:
            return int((self.gains @ proposal.weights.array).argmax())
        bounds = np.array(proposal.thresholds) - 1e-9
        bounds[proposal.target] = -np.inf
        keeps = (self.gains >= bounds).all(axis=1)
        if not keeps.any():
            return self.known[proposal.parent or ""]
        return int(np.where(keeps, self.gains[:, proposal.target], -np.inf).argmax())


def swept(
    proposer: Proposer,
    front: Front,
    runs: int,
    *,
    workers: int = 1,
    seed: int = 0,
    check: Callable[[History, Sequence[Proposal], list[Proposal]], None] | None = None,
) -> tuple[float, list[Proposal]]:
    """Run a sweep; return the share of the front's hypervolume it reaches, and its launches.

    Runs end in the order in which they began; `check` is called with every decision.
    """
    problem = problem_of(front.gains.shape[1])
    rng = np.random.default_rng(seed)
    launches: list[Proposal] = []
    pending: list[Proposal] = []
    rows: list[Row] = []
    draws: list[int] = []
    place: dict[str, int] = {}
    found: list[int] = []
    failed: list[int] = []
    while len(launches) < runs or pending:
        ended = launches[: len(launches) - len(pending)]
        errors = front.noise / np.sqrt(np.array(draws, dtype=np.float64)[:, None])
        history = history_of(problem, ended, rows, stderr=errors, failed=failed)
        free = min(workers - len(pending), runs - len(launches))
        chosen = proposer.propose(history, pending, free, seed) if free else []
        if check is not None and free:
            check(history, tuple(pending), chosen)
        launches += chosen
        pending += chosen
        if not pending:
            break
        run = len(launches) - len(pending)
        proposal = pending.pop(0)
        if rng.random() < front.failures:
            failed.append(run)
            continue
        answer = front.answer(proposal)
        seen = front.gains[answer] + front.noise * rng.standard_normal(problem.m)
        if proposal.kind is LaunchKind.REEVALUATE:  # the parent's row has the mean of its draws
            row = place[proposal.parent or ""]
            whole = (draws[row] * np.array(rows[row][1]) + seen) / (draws[row] + 1)
            rows[row], draws[row] = (rows[row][0], whole.tolist()), draws[row] + 1
            continue
        name = snapshot_id_of(f"r{run:04d}", 0, len(rows))
        front.known[name], place[name] = answer, len(rows)
        found.append(answer)
        draws.append(1)
        rows.append((run, seen.tolist()))
    whole = hypervolume(front.gains, problem.ref_scores)
    return hypervolume(front.gains[found], problem.ref_scores) / whole, launches


def circle(n: int = 400) -> FloatArray:
    """Return a concave front, whose middle no weighted sum finds: a quarter circle."""
    angle = np.linspace(0, np.pi / 2, n)
    return np.stack([1 - np.cos(angle), 1 - np.sin(angle)], axis=1)


def zdt1(n: int = 400) -> FloatArray:
    """Return ZDT1's front as gains: losses f2 = 1 - sqrt(f1), convex, the easy case."""
    loss = np.linspace(0, 1, n)
    return np.stack([1 - loss, np.sqrt(loss)], axis=1)


def sphere(n: int = 2000, m: int = 3) -> FloatArray:
    """Return a concave front of m objectives: the part of a sphere towards the nadir."""
    points = np.abs(np.random.default_rng(7).standard_normal((n, m)))
    points = np.vstack([points, np.eye(m)])
    return np.asarray(1 - points / np.linalg.norm(points, axis=1, keepdims=True))


def opening(m: int) -> list[Proposal]:
    """Return the launches of an ended opening stage: the corners and the centre."""
    return [weighted(row) for row in [*np.eye(m), np.ones(m)]]


def bent(m: int) -> list[tuple[int, list[float]]]:
    """Return rows of a base model and of each run of `opening`, on a front without ties."""
    corners = [[0.9 - 0.03 * i if i == j else 0.05 * (i + 1) for j in range(m)] for i in range(m)]
    centre = [0.4 - 0.02 * i for i in range(m)]
    return [(-1, [0.2] * m), *enumerate([*corners, centre])]


def histories(m: int) -> dict[str, tuple[History, list[Proposal]]]:
    """Return histories that a proposer must handle, each with its pending launches."""
    problem, done, rows = problem_of(m), opening(m), bent(m)
    flat = [(i, [0.5, *g[1:]]) for i, g in rows]
    return {
        "empty": (history_of(problem), []),
        "only the base": (history_of(problem, [], rows[:1]), []),
        "only pending": (history_of(problem), done),
        "all failed": (history_of(problem, done, rows[:1], failed=range(len(done))), []),
        "a single evaluation": (history_of(problem, done[:1], rows[1:2]), done[1:]),
        "one result that beats the rest": (history_of(problem, done, [(0, [0.9] * m)]), []),
        "the base beats every run": (history_of(problem, done, [*rows[1:], (-1, [1.0] * m)]), []),
        "duplicates": (history_of(problem, done, [(i, rows[1][1]) for i in range(m + 1)]), []),
        "no spread in one objective": (history_of(problem, done, flat), []),
        "no spread at all": (history_of(problem, done, [(i, [0.5] * m) for i, _ in rows]), []),
        "nothing beyond the reference": (
            history_of(problem, done, [(i, (np.array(g) - 2).tolist()) for i, g in rows]),
            [],
        ),
        "noise wider than the front": (history_of(problem, done, rows, stderr=1.0), []),
        "a checkpoint of a pending run": (
            history_of(problem, done[:-1], [*rows[:-1], (-2, rows[-1][1])]),
            done[-1:],
        ),
        "the opening stage": (history_of(problem, done, rows), []),
    }
