"""Events as a ledger would tell them, and the states that they fold to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from paretoflow.core.cost import Cost
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.values import (
    BASE_RUN_ID,
    Direction,
    LaunchKind,
    ObjectiveInfo,
    Problem,
    Proposal,
    WeightVector,
)
from paretoflow.engine.state.events import calibrated, evaluated, finished
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.ledger.tables import Event, EventKind

PROBLEM = Problem(
    (
        ObjectiveInfo("coverage", Direction.MAXIMIZE, "share", 0.0, 1.0, 0.0),
        ObjectiveInfo("words", Direction.MINIMIZE, "words", 0.0, 10.0, 10.0),
    )
)
CALIBRATED = calibrated(PROBLEM, 0.0)


def proposal(first: float = 0.5, parent: str | None = None) -> Proposal:
    weights = WeightVector.of([first, 1 - first])
    return Proposal(LaunchKind.WEIGHTED, weights, 1, "Because.", "by hand", parent=parent)


def opened(epoch: int = 0, at: float = 0.0) -> Event:
    return Event(f"opened:{epoch}", EventKind.OPENED, at)


def proposed(run_id: str, choice: Proposal | None = None) -> Event:
    plain = (choice or proposal()).to_dict()
    return Event(
        f"proposed:{run_id}", EventKind.PROPOSED, 0.0, run_id=run_id, payload={"proposal": plain}
    )


def started(run_id: str, attempt: int = 0, at: float = 0.0) -> Event:
    return Event(
        f"started:{run_id}:{attempt}", EventKind.STARTED, at, run_id=run_id, attempt=attempt
    )


def scored(
    run_id: str,
    scores: Sequence[float],
    *,
    attempt: int = 0,
    step: int = 1,
    cost: Cost | None = None,
    at: float = 0.0,
    path: str = "",
    digest: str = "",
) -> Event:
    values = np.asarray(scores, dtype=np.float64)
    stderr = np.array([0.01, 0.1])
    per_prompt = np.stack([values - stderr, values + stderr], axis=1)
    found = Evaluation(
        scores=values,
        stderr=stderr,
        prompt_scores=per_prompt,
        n=2,
        cost=cost or Cost(),
        path=path,
        digest=digest,
    )
    return evaluated(found.named(run_id, attempt, step), at)


def base(scores: Sequence[float] = (0.5, 5.0), cost: Cost | None = None) -> Event:
    return scored(BASE_RUN_ID, scores, step=0, cost=cost)


def done(run_id: str, attempt: int = 0) -> Event:
    return finished(run_id, attempt, 0.0)


def failed(
    run_id: str,
    attempt: int = 0,
    *,
    final: bool,
    at: float = 0.0,
    message: str = "the loss is nan",
    boundary: str = "method",
) -> Event:
    return Event(
        f"failed:{run_id}:{attempt}",
        EventKind.FAILED,
        at,
        run_id=run_id,
        attempt=attempt,
        boundary=boundary,
        message=message,
        payload={"final": final},
    )


def closed(epoch: int = 0, again: Sequence[str] = ()) -> Event:
    payload = {"again": list(again)} if again else {}
    return Event(f"closed:{epoch}", EventKind.CLOSED, 0.0, message="over", payload=payload)


def stopped(run_id: str) -> Event:
    return Event(f"stopped:{run_id}:0", EventKind.STOPPED, 0.0, run_id=run_id)


def numbered(events: Iterable[Event]) -> list[Event]:
    return [replace(e, seq=i) for i, e in enumerate(events)]


def folded(*events: Event) -> SweepState:
    state = SweepState()
    state.apply(numbered(events))
    return state
