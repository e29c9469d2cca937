"""What the front of a sweep is worth by the scores of all prompts and evaluations; its points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paretoflow.core.values import BASE_RUN_ID, FloatArray, Problem, RunRecord
from paretoflow.core.views import EvaluationRow, FrontPoint
from paretoflow.engine.state import SweepState
from paretoflow.front.orient import gains_of, ref_gains
from paretoflow.front.worth import Worth, worth


def front_worth(state: SweepState) -> Worth | None:
    """Return what the front is worth, its doubts in the order of `front_indices`.

    None without scores of single prompts (a simulation), or with other prompts on one front (a
    trainer's own scores). Evaluations on other prompts than the front's are left out.
    """
    front = [state.evaluations[int(i)] for i in state.front_indices]
    if state.problem is None or len({_prompts(row) for row in front}) != 1:
        return None
    kind = _prompts(front[0])
    if len(kind[1]) != 2 or kind[1][1] < 2:
        return None
    others = [row for row in state.evaluations if _prompts(row) == kind]
    place = {row.snapshot_id: number for number, row in enumerate(others)}
    claimed = [place[row.snapshot_id] for row in front]
    return worth(_clouds(others, state.problem), claimed, ref_gains(state.problem))


def front_interval(state: SweepState) -> tuple[float, float]:
    """Return the 95 % interval of the true hypervolume; the reported one twice where none is."""
    found = front_worth(state)
    return (state.hypervolume,) * 2 if found is None else found.interval


def front_point(state: SweepState, number: int, worth: Worth | None) -> FrontPoint:
    """Return a point of the front, by its number in `front_indices`."""
    row = state.evaluations[int(state.front_indices[number])]
    rival = -1 if worth is None else int(worth.rivals[number])
    run = state.runs.get(row.run_id)
    return FrontPoint(
        snapshot_id=row.snapshot_id,
        run_id=row.run_id,
        kind=run.proposal.kind.value if run else BASE_RUN_ID,
        weights=_preference(row, run),
        scores=row.scores,
        stderr=row.stderr,
        n=row.n,
        step=row.step,
        path=row.path,
        digest=row.digest,
        proposal=run.proposal if run else None,
        cost=run.cost if run else row.cost,
        diagnostics=row.diagnostics,
        condition=row.condition,
        doubt=0.0 if worth is None else float(worth.doubts[number]),
        rival="" if rival < 0 else state.evaluations[int(state.front_indices[rival])].snapshot_id,
    )


def _preference(row: EvaluationRow, run: RunRecord | None) -> tuple[float, ...] | None:
    """Return the weights that a point was trained towards, or asked for where it serves many."""
    if run is None:
        return None
    return run.proposal.weights.values if row.condition is None else row.weights


def _prompts(row: EvaluationRow) -> tuple[str, tuple[int, ...]]:
    return row.data, row.prompt_scores.shape


def _clouds(rows: Sequence[EvaluationRow], problem: Problem) -> FloatArray:
    """Return the gain of every prompt of every evaluation, shape (k, m, n)."""
    scores = np.stack([row.prompt_scores for row in rows]).transpose(0, 2, 1)
    gains = gains_of(scores.reshape(-1, problem.m), problem)
    return np.ascontiguousarray(gains.reshape(scores.shape).transpose(0, 2, 1))
