"""Rows of the ledger: built with deterministic ids, and read back as values.

A row that is reported twice has the same id both times, so that the ledger stores it once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from paretoflow.core.cost import Cost
from paretoflow.core.data_facts import DataFacts
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.inputs import Changes, Inputs, changes
from paretoflow.core.values import Direction, ObjectiveInfo, Problem
from paretoflow.ledger.tables import Event, EventKind


def calibrated(problem: Problem, time_s: float, data: DataFacts | None = None) -> Event:
    """Return the row that freezes the objectives of a sweep; a sweep has one such row.

    `data` holds facts about the rows that the prompts were drawn from.
    """
    payload = problem_payload(problem)
    if data is not None:
        payload["data_facts"] = data.to_dict()
    return Event("calibrated", EventKind.CALIBRATED, time_s, payload=payload)


def noted(inputs: Inputs, found: Changes, time_s: float) -> Event:
    """Return the row in which a worker reports the inputs that scores depend on.

    The driver changes its id to that of the session: see `recorded`.
    """
    payload = {
        "inputs": inputs.to_dict(),
        "accepted": list(found.stops),
        "noted": list(found.told),
    }
    return Event("inputs", EventKind.INPUTS, time_s, payload=payload)


def recorded(told: Iterable[Event], known: Problem | None, epoch: int) -> list[Event]:
    """Return the rows of a worker's preparation that a session records.

    An INPUTS row is left out where the ledger has the same inputs; else it is recorded with the
    changes since.

    Args:
        told: Rows of a worker.
        known: The problem in the ledger.
        epoch: Epoch of the driver: a session adds at most one INPUTS row.
    """
    old = known.inputs if known else None
    rows = []
    for event in told:
        told_here = event.payload.get("inputs") if event.kind is EventKind.INPUTS else None
        new = Inputs.from_dict(told_here)
        if new is None:
            rows.append(event)
            continue
        found = changes(old, new) if old else Changes()
        if found or not old:
            rows.append(replace(noted(new, found, event.time_s), event_id=f"inputs:{epoch}"))
    return rows


def evaluated(evaluation: Evaluation, time_s: float) -> Event:
    """Return the row of one evaluation of a checkpoint; `evaluation_of` is the inverse.

    Args:
        evaluation: The evaluation, with the checkpoint's name and its cost.
        time_s: Seconds since the epoch.
    """
    number = "" if evaluation.number is None else f":{evaluation.number}"
    told = {
        "diagnostics": dict(evaluation.diagnostics),
        "model": evaluation.model,
        "data": evaluation.data,
        "inputs": evaluation.inputs,
        "code": evaluation.code,
        "constraint": dict(evaluation.constraint or {}),
        "given": evaluation.given,
        "draw": evaluation.draw,
        "notes": list(evaluation.notes),
    }
    payload = {key: value for key, value in told.items() if value}
    if evaluation.condition is not None:
        payload["condition"] = dict(evaluation.condition)
    return Event(
        f"evaluated:{evaluation.run_id}:{evaluation.attempt}:{evaluation.step}{number}",
        EventKind.EVALUATED,
        time_s,
        run_id=evaluation.run_id,
        attempt=evaluation.attempt,
        snapshot_id=evaluation.snapshot_id,
        step=evaluation.step,
        scores=tuple(evaluation.scores.tolist()),
        stderr=tuple(evaluation.stderr.tolist()),
        prompt_scores=tuple(tuple(row) for row in evaluation.prompt_scores.tolist()),
        n=evaluation.n,
        weights=evaluation.weights or (),
        path=evaluation.path,
        digest=evaluation.digest,
        wall_s=evaluation.cost.wall_s,
        device_s=evaluation.cost.device_s,
        tokens=evaluation.cost.tokens,
        payload=payload,
    )


def evaluation_of(event: Event, opened_at: float) -> Evaluation:
    """Return the evaluation in an EVALUATED row; the inverse of `evaluated`.

    Args:
        event: The row.
        opened_at: Time when the sweep was first opened, seconds since the epoch.
    """
    told = event.payload
    return Evaluation(
        snapshot_id=event.snapshot_id,
        run_id=event.run_id,
        attempt=event.attempt,
        step=event.step,
        scores=np.asarray(event.scores, dtype=np.float64),
        stderr=np.asarray(event.stderr, dtype=np.float64),
        prompt_scores=np.asarray(event.prompt_scores, dtype=np.float64),
        n=event.n,
        weights=event.weights or None,
        at_s=told.get(SEEN, event.time_s) - opened_at,
        cost=Cost(event.wall_s, event.device_s, event.tokens),
        path=event.path,
        digest=event.digest,
        diagnostics={k: float(v) for k, v in told.get("diagnostics", {}).items()},
        data=str(told.get("data", "")),
        condition=told.get("condition"),
        given=bool(told.get("given", False)),
        draw=int(told.get("draw", 0)),
        notes=tuple(map(str, told.get("notes", ()))),
        inputs=str(told.get("inputs", "")),
    )


def paused(
    run_id: str, attempt: int, time_s: float, why: str, step: int, cost: Cost | None = None
) -> Event:
    """Return the row that pauses a run; an attempt is paused once.

    Args:
        run_id: The run.
        attempt: The attempt that the pause ends.
        time_s: Seconds since the epoch.
        why: Reason for the pause, for a person.
        step: Optimiser steps done.
        cost: Cost since the run's last row.
    """
    spent = cost or Cost()
    return Event(
        f"paused:{run_id}:{attempt}",
        EventKind.PAUSED,
        time_s,
        run_id=run_id,
        attempt=attempt,
        step=step,
        message=why,
        wall_s=spent.wall_s,
        device_s=spent.device_s,
        tokens=spent.tokens,
    )


def finished(run_id: str, attempt: int, time_s: float, early: str = "") -> Event:
    """Return the row of a finished run; a run finishes once, in whichever attempt.

    `early` is the reason for an end before the last step; empty where there was none.
    """
    payload = {"early": early} if early else {}
    kind, name = EventKind.FINISHED, f"finished:{run_id}"
    return Event(name, kind, time_s, run_id=run_id, attempt=attempt, payload=payload)


SEEN = "seen_s"
"""Key of a payload: time when the driver received a worker's row, by the driver's clock."""
TOLD_BY_WORKERS = frozenset(
    {
        EventKind.CALIBRATED,
        EventKind.INPUTS,
        EventKind.EVALUATED,
        EventKind.FINISHED,
        EventKind.PAUSED,
    }
)
"""Kinds whose `time_s` is from a worker's clock."""


MONEY = "judged"
"""Key of a payload: money that judges have cost the sweep so far."""


def seen(event: Event, now_s: float) -> Event:
    """Return an event with the driver's time added, where a worker made the event."""
    if event.kind not in TOLD_BY_WORKERS or SEEN in event.payload:
        return event
    return replace(event, payload={**event.payload, SEEN: now_s})


def with_money(events: Sequence[Event], judged: float) -> list[Event]:
    """Return events, of which the last has the money that judges have cost the sweep so far.

    It is the whole sum, so that a row that is written twice, or never, does not matter.
    """
    *others, last = events
    return [*others, replace(last, payload={**last.payload, MONEY: judged})]


def driver_time(event: Event) -> float | None:
    """Return the time of an event by its driver's clock; None where only a worker's is known."""
    if event.kind in TOLD_BY_WORKERS:
        found = event.payload.get(SEEN)
        return None if found is None else float(found)
    return event.time_s


def uncharged_share(event: Event, failed_s: float | None) -> float:
    """Return the share of an event's time that was not yet charged to its attempt's failure.

    A failure is charged with all time of its attempt that no earlier row has charged. A result of
    the attempt may arrive later.

    Args:
        event: A result, with its cost.
        failed_s: Time when the failure of its attempt was recorded; None where it has not failed.
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
    """Return the problem after a worker's rows, with the inputs that its scores depend on."""
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
