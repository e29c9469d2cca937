"""Build the rows that backends report, with deterministic ids: telling twice adds nothing to the ledger."""

from __future__ import annotations

from paretoflow.core.ids import snapshot_id_of
from paretoflow.core.values import BASE_RUN_ID, Cost, FloatArray, Problem
from paretoflow.engine.state import problem_payload
from paretoflow.ledger.tables import Event, EventKind


def calibrated(problem: Problem, time_s: float) -> Event:
    """Return the row that freezes the objectives of a sweep; there is one."""
    return Event("calibrated", EventKind.CALIBRATED, time_s, payload=problem_payload(problem))


def evaluated(
    run_id: str,
    attempt: int,
    step: int,
    *,
    time_s: float,
    prompt_scores: FloatArray,
    scores: FloatArray,
    stderr: FloatArray,
    cost: Cost,
    **fields: object,
) -> Event:
    """Return the row of one evaluated snapshot.

    Args:
        prompt_scores: Raw scores, shape (m, n).
        scores: Raw means, shape (m,).
        stderr: Standard errors, shape (m,).
        cost: Training since the run's previous snapshot, plus the evaluation.
        fields: Further fields of `Event`: weights, path, digest, payload.
    """
    return Event(
        f"evaluated:{run_id}:{attempt}:{step}",
        EventKind.EVALUATED,
        time_s,
        run_id=run_id,
        attempt=attempt,
        snapshot_id=BASE_RUN_ID if run_id == BASE_RUN_ID else snapshot_id_of(run_id, attempt, step),
        step=step,
        scores=tuple(float(v) for v in scores),
        stderr=tuple(float(v) for v in stderr),
        prompt_scores=tuple(tuple(float(v) for v in row) for row in prompt_scores),
        n=prompt_scores.shape[1],
        wall_s=cost.wall_s,
        device_s=cost.device_s,
        tokens=cost.tokens,
        **fields,  # type: ignore[arg-type]
    )


def finished(run_id: str, attempt: int, time_s: float) -> Event:
    """Return the row that ends a run well; a run finishes once, whatever attempt did it."""
    return Event(f"finished:{run_id}", EventKind.FINISHED, time_s, run_id=run_id, attempt=attempt)
