"""Sweep views made by hand, equal to those of `read_sweep`, with or without a folder."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from paretoflow.core.cost import Cost
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.front_point import FrontPoint
from paretoflow.core.ids import digest_of_folder, run_id_of, snapshot_id_of
from paretoflow.core.status import Boundary, RunStatus
from paretoflow.core.values import (
    BASE_RUN_ID,
    Direction,
    LaunchKind,
    ObjectiveInfo,
    Problem,
    Proposal,
    RunRecord,
    WeightVector,
)
from paretoflow.core.views import FrontView, SweepView
from paretoflow.front.hypervolume import hypervolume
from paretoflow.front.orient import gains_of, ref_gains
from paretoflow.front.worth import worth

PROMPTS = 48
COVERAGE = ObjectiveInfo("coverage", Direction.MAXIMIZE, "", 0.1, 0.6, 0.05)
LENGTH = ObjectiveInfo("length", Direction.MINIMIZE, "words", 5.0, 55.0, 60.0)
GROUNDING = ObjectiveInfo("grounding", Direction.MAXIMIZE, "", 0.2, 1.0, 0.12)

# (weights, scores, whether it is on the front); the base comes first and has no weights
TWO = [
    (None, (0.31, 33.0), False),
    ((1.0, 0.0), (0.52, 47.5), True),
    ((0.0, 1.0), (0.14, 7.2), True),
    ((0.5, 0.5), (0.35, 24.0), True),
    ((0.7, 0.3), (0.46, 35.5), True),
    ((0.3, 0.7), (0.24, 14.8), True),
    ((0.6, 0.4), (0.33, 34.1), False),
    ((0.4, 0.6), (0.22, 19.0), False),
]
THREE = [
    (None, (0.31, 33.0, 0.61), False),
    ((1.0, 0.0, 0.0), (0.52, 47.5, 0.55), True),
    ((0.0, 1.0, 0.0), (0.14, 7.2, 0.58), True),
    ((0.0, 0.0, 1.0), (0.28, 26.0, 0.93), True),
    ((0.4, 0.3, 0.3), (0.41, 29.0, 0.66), True),
    ((0.2, 0.4, 0.4), (0.25, 15.5, 0.78), True),
    ((0.5, 0.0, 0.5), (0.44, 38.0, 0.79), True),
    ((0.3, 0.5, 0.2), (0.24, 22.0, 0.57), False),
]
STDERR = (0.018, 1.3, 0.021)
ANSWERS = (
    "Return the absolute path of a file.",
    "The function joins one or more path segments intelligently and returns the result.",
    "It is a context manager. It closes the file when the block ends, whatever happened inside it.",
)


def two_objectives(root: Path | None = None) -> SweepView:
    """Return a sweep of two objectives with a failed and a pending run."""
    return _view(Problem((COVERAGE, LENGTH)), TWO, (16.677, 15.93, 17.38), root)


def three_objectives(root: Path | None = None) -> SweepView:
    """Return a sweep of three objectives."""
    return _view(Problem((COVERAGE, LENGTH, GROUNDING)), THREE, (11.484, 10.97, 12.01), root)


def measured(view: SweepView) -> SweepView:
    """Return the view with the hypervolume and interval that follow from its evaluations."""
    problem, points = view.front.problem, view.front.points
    names = [e.snapshot_id for e in view.evaluations]
    ref = ref_gains(problem)
    clouds = np.stack([gains_of(e.prompt_scores.T, problem).T for e in view.evaluations])
    found = worth(clouds, [names.index(p.snapshot_id) for p in points], ref)
    front = replace(
        view.front,
        hypervolume=hypervolume(gains_of(np.array([p.scores for p in points]), problem), ref),
        hypervolume_ci=found.interval,
        hypervolume_corrected=found.corrected,
    )
    return replace(view, front=front)


def changed(point: FrontPoint, **changes: Any) -> FrontPoint:
    """Return a point of a front with changed fields, also of its evaluation."""
    own = {f.name for f in fields(FrontPoint)}
    scored = {name: value for name, value in changes.items() if name not in own}
    arrays = {name: np.array(scored[name]) for name in ("scores", "stderr") if name in scored}
    evaluation = replace(point.evaluation, **(scored | arrays))
    rest = {name: value for name, value in changes.items() if name in own}
    return replace(point, evaluation=evaluation, **rest)


def _view(
    problem: Problem,
    rows: list[tuple[tuple[float, ...] | None, tuple[float, ...], bool]],
    hypervolume: tuple[float, float, float],
    root: Path | None,
) -> SweepView:
    runs = [_run(i, problem, weights) for i, (weights, _, _) in enumerate(rows[1:])]
    evaluations = [_evaluation(problem, None, 0, rows[0][1])]
    evaluations += [
        _evaluation(problem, run, i, scores)
        for i, (run, (_, scores, _)) in enumerate(zip(runs, rows[1:], strict=True), start=1)
    ]
    if root is not None:
        evaluations = [_on_disk(root, e, problem) for e in evaluations]
    by_id = {r.run_id: r for r in runs}
    points = [
        _point(e, by_id.get(e.run_id))
        for e, (_, _, front) in zip(evaluations, rows, strict=True)
        if front
    ]
    points.sort(key=lambda p: -p.scores[0])
    value, low, high = hypervolume
    front = FrontView(
        "demo",
        3,
        problem,
        value,
        (low, high),
        tuple(points),
        len(runs),
        1,
        1,
        hypervolume_corrected=round(value - 0.077, 3),
    )
    share = np.linspace(0.45, 1.0, len(runs) + 1) ** 0.5
    curve = tuple((i, 6.0 + 21.5 * i, float(value * s)) for i, s in enumerate(share))
    return SweepView(
        spec={
            "name": "demo",
            "seed": 7,
            "model": {"type": "embedded"},
            "data": {"type": "pydoc", "eval": PROMPTS},
            "method": {"type": "dpo", "steps": 40},
            "proposer": {"type": "empty_box"},
            "engine": {"worker_groups": 2, "price": 0.4},
            "stop": {"runs": len(runs) + 2},
        },
        front=front,
        runs=(*runs, *_unhappy(problem, len(runs))),
        evaluations=tuple(evaluations),
        curve=curve,
        root=str(root or "sweeps/demo"),
    )


def _run(index: int, problem: Problem, weights: tuple[float, ...] | None) -> RunRecord:
    constrained = index >= problem.m + 1
    proposal = Proposal(
        kind=LaunchKind.CONSTRAINED if constrained else LaunchKind.WEIGHTED,
        weights=WeightVector.of(weights or (1.0,) * problem.m),
        seed=1000 + index,
        reason="largest gap between two neighbours, improve coverage while the others hold"
        if constrained
        else f"corner or centre {index} of the simplex, to see how far the front reaches",
        proposer="empty_box",
        parent=snapshot_id_of(run_id_of(0, {"demo": 0}), 0, 40) if constrained else None,
        target=0 if constrained else None,
        thresholds=(-np.inf, -36.0, 0.5)[: problem.m] if constrained else None,
    )
    return RunRecord(
        run_id_of(index, {"demo": index}), proposal, RunStatus.FINISHED, 0, Cost(20.1, 21.5, 61_440)
    )


def _unhappy(problem: Problem, index: int) -> list[RunRecord]:
    failed = replace(
        _run(index, problem, None),
        status=RunStatus.FAILED,
        attempt=1,
        boundary=Boundary.METHOD,
        message="loss is nan at step 12 <script>alert(1)</script>",
    )
    pending = replace(_run(index + 1, problem, None), status=RunStatus.PENDING, cost=Cost())
    return [failed, pending]


def _evaluation(
    problem: Problem, run: RunRecord | None, index: int, scores: tuple[float, ...]
) -> Evaluation:
    rng = np.random.default_rng(index)
    stderr = STDERR[: problem.m]
    spread = np.array(stderr)[:, None] * np.sqrt(PROMPTS)
    noise = rng.standard_normal((problem.m, PROMPTS))
    noise -= noise.mean(axis=1, keepdims=True)
    name = BASE_RUN_ID if run is None else snapshot_id_of(run.run_id, 0, 40)
    return Evaluation(
        snapshot_id=name,
        run_id=BASE_RUN_ID if run is None else run.run_id,
        attempt=0,
        step=0 if run is None else 40,
        scores=np.array(scores),
        stderr=np.array(stderr),
        prompt_scores=np.array(scores)[:, None] + spread * noise,
        n=PROMPTS,
        weights=None if run is None else run.proposal.weights.values,
        at_s=10.0 + 21.5 * index,
        cost=Cost(6.0, 6.0, 4_000),
        path="" if run is None else f"snapshots/{name}",
        digest="",
        diagnostics={"kl": 0.4 * index, "length_tokens": 41.0, "ranking_accuracy": 0.61},
    )


def _on_disk(root: Path, row: Evaluation, problem: Problem) -> Evaluation:
    write_answers(root, row, problem)
    if not row.path:
        return row
    folder = root / row.path
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 16}')
    (folder / "adapter_model.safetensors").write_bytes(row.snapshot_id.encode())
    return replace(row, digest=digest_of_folder(folder))


def write_answers(root: Path, row: Evaluation, problem: Problem) -> None:
    """Write the answers of an evaluation as the engine does."""
    count = 4
    columns = {
        "prompt_id": [f"p{i}" for i in range(count)],
        "prompt": [
            f"What does <os.path.{n}> do?\nAnswer:" for n in ("join", "abspath", "split", "walk")
        ],
        "reference": [ANSWERS[i % 3] for i in range(count)],
        "completion": [ANSWERS[(i + len(row.snapshot_id)) % 3] for i in range(count)],
    }
    scores = {o.name: row.prompt_scores[k, :count] for k, o in enumerate(problem.objectives)}
    path = root / "answers" / f"{row.snapshot_id}.arrow"
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns | scores)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def _point(row: Evaluation, run: RunRecord | None) -> FrontPoint:
    return FrontPoint(
        evaluation=row,
        kind="base" if run is None else run.proposal.kind.value,
        weights=row.weights,
        proposal=None if run is None else run.proposal,
        cost=row.cost,
    )
