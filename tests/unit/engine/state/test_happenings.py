from __future__ import annotations

from dataclasses import replace

import numpy as np

from paretoflow.core.cost import Cost
from paretoflow.core.evaluation import Evaluation
from paretoflow.engine.state.events import (
    calibrated,
    evaluated,
    evaluation_of,
    finished,
    problem_from,
)
from tests.unit.engine.telling import PROBLEM


def _measured(run_id: str = "r0001-abcdef", attempt: int = 2, step: int = 40) -> Evaluation:
    prompt_scores = np.array([[0.1, 0.3, 0.8], [5.0, 6.0, 7.0]])
    found = Evaluation.of_prompts(
        prompt_scores,
        cost=Cost(1.5, 3.0, 70),
        weights=(0.25, 0.75),
        path="adapters/r0001-abcdef/a2/step-0040",
        digest="ab",
        diagnostics={"kl": 0.5},
    )
    return replace(found, stderr=np.array([0.2, 0.6])).named(run_id, attempt, step)


def test_ids_name_the_happening_and_not_the_moment() -> None:
    where = _measured()
    early = evaluated(where, 1.0)
    assert early.event_id == "evaluated:r0001-abcdef:2:40"
    assert early.event_id == evaluated(replace(where, cost=Cost(1.0)), 9.0).event_id
    assert finished("r0001-abcdef", 2, 1.0).event_id == finished("r0001-abcdef", 3, 9.0).event_id
    assert calibrated(PROBLEM, 1.0).event_id == calibrated(PROBLEM, 2.0).event_id


def test_a_snapshot_is_named_by_run_attempt_and_step_and_the_base_by_itself() -> None:
    assert _measured().snapshot_id == "r0001-abcdef-a2-s0040"
    assert _measured("base", 0, 0).snapshot_id == "base"


def test_an_evaluation_survives_its_event() -> None:
    event = evaluated(_measured(), 12.0)
    row = evaluation_of(event, opened_at=10.0)
    assert row == replace(_measured(), at_s=2.0)
    np.testing.assert_allclose(row.scores, [0.4, 6.0])
    np.testing.assert_array_equal(row.prompt_scores, _measured().prompt_scores)
    assert row.stderr.tolist() == [0.2, 0.6]
    assert (row.n, row.at_s, row.cost) == (3, 2.0, Cost(1.5, 3.0, 70))
    assert (row.weights, row.path, row.diagnostics) == ((0.25, 0.75), event.path, {"kl": 0.5})


def test_the_calibration_holds_the_whole_problem() -> None:
    assert problem_from(calibrated(PROBLEM, 0.0).payload) == PROBLEM
