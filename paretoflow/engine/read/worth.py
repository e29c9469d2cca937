"""The worth of a sweep's front, estimated from the scores of all prompts and evaluations."""

from __future__ import annotations

from paretoflow.core.evaluation import Evaluation
from paretoflow.core.front_point import FrontPoint
from paretoflow.core.values import BASE_RUN_ID, RunRecord
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.front.claimed import claimed_worth
from paretoflow.front.worth import Worth


def front_worth(state: SweepState) -> Worth | None:
    """Return the worth of the front, its doubts in the order of `front_indices`.

    None where there is no front yet, or where `claimed_worth` returns None.
    """
    if state.problem is None:
        return None
    return claimed_worth(state.evaluations, state.front_indices.tolist(), state.problem)


def front_interval(state: SweepState) -> tuple[float, float]:
    """Return the 95 % interval of the true hypervolume; the reported value twice for none."""
    found = front_worth(state)
    return (state.hypervolume,) * 2 if found is None else found.interval


def front_point(state: SweepState, number: int, worth: Worth | None) -> FrontPoint:
    """Return a point of the front, by its number in `front_indices`."""
    row = state.evaluations[int(state.front_indices[number])]
    rival = -1 if worth is None else int(worth.rivals[number])
    run = state.runs.get(row.run_id)
    return FrontPoint(
        evaluation=row,
        kind=run.proposal.kind.value if run else BASE_RUN_ID,
        weights=_preference(row, run),
        proposal=run.proposal if run else None,
        cost=run.cost if run else row.cost,
        doubt=0.0 if worth is None else float(worth.doubts[number]),
        rival="" if rival < 0 else state.evaluations[int(state.front_indices[rival])].snapshot_id,
    )


def _preference(row: Evaluation, run: RunRecord | None) -> tuple[float, ...] | None:
    """Return the weights that a point was trained towards, or was conditioned on."""
    if run is None:
        return None
    return run.proposal.weights.values if row.condition is None else row.weights
