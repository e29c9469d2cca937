from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoflow.core.cost import Cost
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.protocols import Checkpoint, Served
from paretoflow.engine.runtime.results import points_of
from paretoflow.engine.state.events import evaluated, evaluation_of
from tests.faults import raises

PLAIN = Checkpoint(3, Path("a"), final=True, cost=Cost(), weights=np.array([0.4, 0.6]), metrics={})
PROMPTS = np.array([[1.0, 2.0, 3.0], [0.5, 0.5, 2.0]])
GIVEN = Evaluation(
    scores=np.array([2.0, 1.0]), stderr=np.array([0.1, 0.2]), prompt_scores=PROMPTS, n=3
)
NAMES = ("gain", "size")


class Recorder:
    """An evaluator that notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def evaluate(self, model: Any, weights: Any = None, served: Any = None) -> Evaluation:
        self.asked.append((weights.tolist(), served))
        scores = np.array([float(len(self.asked)), 0.0])
        return Evaluation(
            scores=scores,
            stderr=scores,
            prompt_scores=scores[:, None],
            n=1,
            completions=("x",),
            diagnostics={"kl": 0.5},
            cost=Cost(0.1, 0.1, 5),
        )


def points(checkpoint: Checkpoint, evaluator: Any = None) -> tuple[list[Any], int]:
    signs: list[int] = []
    found = list(points_of(checkpoint, evaluator or Recorder(), NAMES, lambda: signs.append(1)))
    return found, len(signs)


def test_a_checkpoint_of_one_preference_is_one_point():
    evaluator = Recorder()
    (point,), signs = points(PLAIN, evaluator)
    assert (point.number, point.weights, point.condition) == (None, (0.4, 0.6), None)
    assert (point.snapshot_id, point.diagnostics, point.cost.tokens) == ("", {"kl": 0.5}, 5)
    assert evaluator.asked == [([0.4, 0.6], None)]
    assert signs == 1


def test_what_a_run_found_of_its_thresholds_is_in_its_record():
    told = {"kept": True, "looks": 7}
    (point,), _ = points(replace(PLAIN, constraint=told))
    assert point.constraint == told
    assert evaluated(point, 1.0).payload["constraint"] == told


def test_a_point_for_each_preference_that_is_served_in_order():
    served = tuple(Served(np.array([w, 1 - w]), {"prefix": f"{w}"}) for w in (0.0, 0.5, 1.0))
    evaluator = Recorder()
    found, signs = points(replace(PLAIN, served=served), evaluator)
    assert [p.number for p in found] == [0, 1, 2]
    assert [p.weights for p in found] == [(0.0, 1.0), (0.5, 0.5), (1.0, 0.0)]
    assert [p.condition for p in found] == [dict(s.condition) for s in served]
    assert [s for _, s in evaluator.asked] == list(served)
    assert signs == 3


@pytest.mark.parametrize(
    ("weights", "code", "value"),
    [([0.2, 0.3, 0.5], "training-scores", "(3,); allowed: (2,)"), ([0.9, 0.9], "shape", "0.9")],
)
def test_a_preference_that_is_none_is_refused(weights, code, value):
    with raises(code, value):
        points(replace(PLAIN, served=(Served(np.array(weights), {}),)))


def test_given_scores_are_taken_without_an_evaluation():
    evaluator = Recorder()
    (point,), _ = points(replace(PLAIN, given=GIVEN), evaluator)
    assert evaluator.asked == []
    assert point.given
    assert (point.scores.tolist(), point.n) == ([2.0, 1.0], 3)
    assert (point.completions, point.cost) == ((), Cost())


@pytest.mark.parametrize(
    ("change", "values"),
    [
        ({"scores": np.array([2.0])}, ["scores", "(1,)", "(2,)"]),
        ({"scores": np.array([np.nan, 1.0])}, ["scores", "finite"]),
        ({"stderr": np.array([0.1])}, ["standard errors", "(1,)"]),
        ({"stderr": np.array([-0.1, 0.1])}, ["standard errors", "zero"]),
        ({"prompt_scores": PROMPTS[:1]}, ["prompts", "(1, 3)"]),
        ({"prompt_scores": PROMPTS[:, :0]}, ["prompts", "(2, 0)"]),
        ({"prompt_scores": PROMPTS + 1}, ["means", "[2.0, 1.0]", "[3.0, 2.0]"]),
    ],
)
def test_given_scores_that_cannot_be_are_refused(change, values):
    with raises("training-scores", *values):
        points(replace(PLAIN, given=replace(GIVEN, **change)))


def test_scores_are_given_or_evaluated_and_not_both():
    served = (Served(np.array([1.0, 0.0]), {}),)
    with raises("training-scores", "either"):
        points(replace(PLAIN, given=GIVEN, served=served))


def test_each_condition_has_its_own_row_and_ordinary_names_stay():
    where = GIVEN.named("r0001-abc", 0, 40)
    third = replace(GIVEN, number=3, condition={"prefix": "p"}).named("r0001-abc", 0, 40)
    assert where.snapshot_id == "r0001-abc-a0-s0040"
    assert third.snapshot_id == "r0001-abc-a0-s0040-c03"
    rows = [evaluated(w, 1.0) for w in (where, third)]
    assert [r.event_id for r in rows] == [
        "evaluated:r0001-abc:0:40",
        "evaluated:r0001-abc:0:40:3",
    ]
    assert evaluation_of(rows[1], 0.0).condition == {"prefix": "p"}
