"""A front and its evaluations as flat Arrow tables, one column for each number.

Columns are prefixed (`score_`, `stderr_`, `weight_`, `threshold_`, `diagnostic_`) so that no
objective's name can collide with another column. Scores and thresholds are raw.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from paretoflow.core.conditions import condition_json
from paretoflow.core.cost import Cost
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.front_point import FrontPoint
from paretoflow.core.values import Problem
from paretoflow.core.views import FrontView, SweepView
from paretoflow.front.orient import scores_of


def front_table(front: FrontView, place: str | None = "adapters/") -> pa.Table:
    """Return one row for each point, in the order of the front, with its run and launch.

    Args:
        front: The points.
        place: Prefix of an adapter's name in the column `adapter`, the path within an export; None
            leaves that column empty. `path` is always the path within the sweep.
    """
    problem, points = front.problem, front.points
    proposals = [p.proposal for p in points]
    columns: dict[str, Any] = {
        "snapshot_id": _texts(p.snapshot_id for p in points),
        "run_id": _texts(p.run_id for p in points),
        "kind": _texts(p.kind for p in points),
        "step": pa.array([p.step for p in points], pa.int64()),
        "n": pa.array([p.n for p in points], pa.int64()),
        **_scores([p.evaluation for p in points], problem),
        **_weights([p.weights for p in points], problem),
        **_thresholds(points, problem),
        "target": _texts(
            None if q is None or q.target is None else problem.names[q.target] for q in proposals
        ),
        "parent": _texts(q and q.parent for q in proposals),
        "merge": _texts(p.merge and json.dumps(p.merge.to_dict()) for p in points),
        "settings": _texts(json.dumps(dict(p.settings)) if p.settings else None for p in points),
        "seed": pa.array([None if q is None else q.seed for q in proposals], pa.int64()),
        "proposer": _texts(q and q.proposer for q in proposals),
        "reason": _texts(q and q.reason for q in proposals),
        **_costs([p.cost for p in points]),
        "adapter": _texts(
            f"{place}{p.adapter_name}" if p.path and place is not None else None for p in points
        ),
        "path": _texts(p.path or None for p in points),
        "digest": _texts(p.digest or None for p in points),
        "condition": _texts(condition_json(p.condition) for p in points),
        "doubt": _floats([p.doubt for p in points]),
        "rival": _texts(p.rival or None for p in points),
        **_diagnostics([p.diagnostics for p in points]),
    }
    return pa.table(columns)


def evaluations_table(view: SweepView) -> pa.Table:
    """Return a row for each evaluated checkpoint in the ledger's order, per-prompt scores as lists.

    `status` is the status of its run, `data` the SHA-256 of the prompts that it was scored on, and
    `draws` the number of answers to each prompt that its scores are means of.
    """
    problem, rows = view.front.problem, view.evaluations
    on_front = {p.snapshot_id for p in view.front.points}
    status = {run.run_id: run.status.value for run in view.runs}
    columns: dict[str, Any] = {
        "snapshot_id": _texts(r.snapshot_id for r in rows),
        "run_id": _texts(r.run_id for r in rows),
        "attempt": pa.array([r.attempt for r in rows], pa.int64()),
        "step": pa.array([r.step for r in rows], pa.int64()),
        "n": pa.array([r.n for r in rows], pa.int64()),
        "draws": pa.array([r.draws for r in rows], pa.int64()),
        "status": _texts(status.get(r.run_id) for r in rows),
        "on_front": pa.array([r.snapshot_id in on_front for r in rows], pa.bool_()),
        **_scores(rows, problem),
        **{f"prompt_scores_{name}": _per_prompt(rows, k) for k, name in enumerate(problem.names)},
        **_weights([r.weights for r in rows], problem),
        "data": _texts(r.data or None for r in rows),
        "at_s": pa.array([r.at_s for r in rows], pa.float64()),
        **_costs([r.cost for r in rows]),
        "path": _texts(r.path or None for r in rows),
        "digest": _texts(r.digest or None for r in rows),
        "condition": _texts(condition_json(r.condition) for r in rows),
        **_diagnostics([r.diagnostics for r in rows]),
    }
    return pa.table(columns)


def _texts(values: Any) -> pa.Array:
    return pa.array(list(values), pa.string())


def _floats(values: Sequence[float | None]) -> pa.Array:
    return pa.array(values, pa.float64())


def _scores(rows: Sequence[Evaluation], problem: Problem) -> dict[str, pa.Array]:
    means = {
        f"score_{name}": _floats([r.scores[k] for r in rows])
        for k, name in enumerate(problem.names)
    }
    errors = {
        f"stderr_{name}": _floats([r.stderr[k] for r in rows])
        for k, name in enumerate(problem.names)
    }
    return means | errors


def _weights(rows: Sequence[tuple[float, ...] | None], problem: Problem) -> dict[str, pa.Array]:
    return {
        f"weight_{name}": _floats([None if w is None else w[k] for w in rows])
        for k, name in enumerate(problem.names)
    }


def _thresholds(points: Sequence[FrontPoint], problem: Problem) -> dict[str, pa.Array]:
    """Return the bounds of constrained launches as raw scores; null without a bound."""
    none = np.full(problem.m, np.nan)
    given = [p.proposal.thresholds if p.proposal else None for p in points]
    bounds = [none if g is None else scores_of(np.array(g), problem) for g in given]
    return {
        f"threshold_{name}": _floats([float(b[k]) if np.isfinite(b[k]) else None for b in bounds])
        for k, name in enumerate(problem.names)
    }


def _costs(costs: Sequence[Cost]) -> dict[str, pa.Array]:
    return {
        "wall_s": _floats([c.wall_s for c in costs]),
        "device_s": _floats([c.device_s for c in costs]),
        "tokens": pa.array([c.tokens for c in costs], pa.int64()),
    }


def _diagnostics(rows: Sequence[Mapping[str, float]]) -> dict[str, pa.Array]:
    names = sorted({name for row in rows for name in row})
    return {f"diagnostic_{name}": _floats([row.get(name) for row in rows]) for name in names}


def _per_prompt(rows: Sequence[Evaluation], index: int) -> pa.Array:
    """Return the scores of every prompt; null if none were kept, as in simulations."""
    kept = [r.prompt_scores[index].tolist() if r.prompt_scores.ndim == 2 else None for r in rows]
    return pa.array(kept, pa.list_(pa.float64()))
