"""Values from the ledger's events, and the payloads that hold them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from paretoflow.core.cost import Cost
from paretoflow.core.inputs import Inputs
from paretoflow.core.values import Direction, ObjectiveInfo, Problem
from paretoflow.core.views import EvaluationRow
from paretoflow.ledger.tables import Event, EventKind

SEEN = "seen_s"
"""Key of a payload: when the driver took a worker's word in, by the driver's clock."""
TOLD_BY_WORKERS = frozenset(
    {
        EventKind.CALIBRATED,
        EventKind.INPUTS,
        EventKind.EVALUATED,
        EventKind.FINISHED,
        EventKind.PAUSED,
    }
)
"""Kinds whose `time_s` is of a worker's clock."""


def seen(event: Event, now_s: float) -> Event:
    """Return an event with the driver's time on it, where a worker made it."""
    if event.kind not in TOLD_BY_WORKERS or SEEN in event.payload:
        return event
    return replace(event, payload={**event.payload, SEEN: now_s})


def driver_time(event: Event) -> float | None:
    """Return when an event was recorded, by its driver's clock; None where only a worker's says."""
    if event.kind in TOLD_BY_WORKERS:
        found = event.payload.get(SEEN)
        return None if found is None else float(found)
    return event.time_s


def evaluation_of(event: Event, opened_at: float) -> EvaluationRow:
    """Read an EVALUATED event as an evaluation."""
    return EvaluationRow(
        snapshot_id=event.snapshot_id,
        run_id=event.run_id,
        attempt=event.attempt,
        step=event.step,
        scores=event.scores,
        stderr=event.stderr,
        prompt_scores=np.asarray(event.prompt_scores, dtype=np.float64),
        n=event.n,
        weights=event.weights or None,
        at_s=event.payload.get(SEEN, event.time_s) - opened_at,
        cost=Cost(event.wall_s, event.device_s, event.tokens),
        path=event.path,
        digest=event.digest,
        diagnostics={k: float(v) for k, v in event.payload.get("diagnostics", {}).items()},
        data=str(event.payload.get("data", "")),
        condition=event.payload.get("condition"),
        notes=tuple(map(str, event.payload.get("notes", ()))),
        inputs=str(event.payload.get("inputs", "")),
    )


def uncharged_share(event: Event, failed_s: float | None) -> float:
    """Return which share of an event's time was not charged with its attempt's failure.

    A failure is charged with all that its attempt left uncharged; a result may come later.

    Args:
        event: A result, with its cost.
        failed_s: When the failure of its attempt was recorded; None where it has not failed.
    """
    if failed_s is None or not event.wall_s:
        return 1.0
    return min(1.0, max(0.0, event.time_s - failed_s) / event.wall_s)


def problem_from(payload: Mapping[str, Any]) -> Problem:
    """Read the payload of a CALIBRATED event."""
    rows = payload["objectives"]
    return Problem(
        tuple(ObjectiveInfo(**{**row, "direction": Direction(row["direction"])}) for row in rows),
        Inputs.from_dict(payload.get("inputs")),
    )


def problem_of(events: Iterable[Event], known: Problem | None) -> Problem:
    """Return the problem that follows from what a worker told, with what its scores depend on."""
    for event in events:
        if event.kind is EventKind.CALIBRATED:
            return problem_from(event.payload)
        if event.kind is EventKind.INPUTS and known is not None:
            return replace(known, inputs=Inputs.from_dict(event.payload["inputs"]))
    assert known is not None
    return known


def problem_payload(problem: Problem) -> dict[str, Any]:
    """Return the payload of a CALIBRATED event; `problem_from` reads it back."""
    noted = {} if problem.inputs is None else {"inputs": problem.inputs.to_dict()}
    return noted | {
        "objectives": [
            {
                "name": o.name,
                "direction": o.direction.value,
                "unit": o.unit,
                "low": o.low,
                "high": o.high,
                "ref": o.ref,
            }
            for o in problem.objectives
        ]
    }
