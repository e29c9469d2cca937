from __future__ import annotations

import numpy as np
import pytest

from paretoflow.core.errors import NonFiniteError, ShapeError
from paretoflow.core.values import Direction, FloatArray
from paretoflow.scoring.calibrate import (
    calibrate,
    calibration_notes,
    declared_problem,
    orientation,
    require_differences,
)
from paretoflow.spec.objectives import (
    LengthObjectiveSpec,
    ObjectiveSpec,
    RougeObjectiveSpec,
    SystemObjectiveSpec,
)
from tests.faults import raises

RECALL = RougeObjectiveSpec(type="rouge", name="recall", unit="share")
LENGTH = LengthObjectiveSpec(type="length", name="length")
SCORES = np.array([[0.2, 20.0], [0.7, 70.0], [0.4, 30.0]])


def test_undeclared_ranges_and_references_by_hand() -> None:
    recall, length = calibrate([RECALL, LENGTH], SCORES).objectives
    assert (recall.low, recall.high) == (0.2, 0.7)
    assert recall.ref == pytest.approx(0.15)  # a tenth of 0.5 below 0.2: more is better
    assert (length.low, length.high, length.ref) == (20.0, 70.0, 75.0)
    assert (recall.name, recall.direction, recall.unit) == ("recall", Direction.MAXIMIZE, "share")


def test_declared_values_are_kept() -> None:
    specs = [
        RECALL.model_copy(update={"range": (0.0, 1.0)}),
        LENGTH.model_copy(update={"ref": 100.0}),
    ]
    recall, length = calibrate(specs, SCORES).objectives
    assert (recall.low, recall.high, recall.ref) == (0.0, 1.0, -0.1)
    assert (length.low, length.high, length.ref) == (20.0, 70.0, 100.0)


@pytest.mark.parametrize(
    ("value", "low", "high"), [(40.0, 38.0, 42.0), (-2.0, -2.1, -1.9), (0.0, -1.0, 1.0)]
)
def test_scores_all_alike_still_give_a_range(value: float, low: float, high: float) -> None:
    info = calibrate([RECALL], np.full((5, 1), value)).objectives[0]
    assert (info.low, info.high) == pytest.approx((low, high))
    assert info.ref < info.low < info.high


def test_bad_scores_are_refused() -> None:
    with raises("shape", "2)"):
        calibrate([RECALL, LENGTH], SCORES[:, :1])
    with pytest.raises(ShapeError):
        calibrate([RECALL, LENGTH], SCORES[:0])
    with pytest.raises(NonFiniteError):
        calibrate([RECALL, LENGTH], np.array([[0.1, np.nan]]))


def test_a_system_cost_keeps_its_declared_range() -> None:
    size = SystemObjectiveSpec(type="system", name="size", measure="trainable_parameters")
    scores = np.column_stack([SCORES[:, 0], np.zeros(3)])
    declared = size.model_copy(update={"range": (0.0, 2e5)})
    info = calibrate([RECALL, declared], scores).objectives[1]
    assert (info.low, info.high, info.ref) == (0.0, 2e5, pytest.approx(2.2e5))


def test_a_declared_problem_is_what_is_calibrated_from_declared_ranges() -> None:
    full = [
        RECALL.model_copy(update={"range": (0.0, 1.0)}),
        LENGTH.model_copy(update={"range": (0.0, 90.0), "ref": 95.0}),
    ]
    assert declared_problem(full) == calibrate(full, SCORES)


def test_orientation_negates_what_is_minimised_and_undoes_itself() -> None:
    orient = orientation([RECALL, LENGTH])
    np.testing.assert_array_equal(orient(SCORES), SCORES * [1, -1])
    cube = np.arange(12.0).reshape(2, 3, 2)
    assert orient(cube).shape == (2, 3, 2)
    np.testing.assert_array_equal(orient(orient(cube)), cube)
    np.testing.assert_array_equal(orient(SCORES[0]), [0.2, -20.0])


FLAT, MANY = np.zeros((12, 1)), np.arange(12.0)[:, None]
SIZE = SystemObjectiveSpec(type="system", name="size", measure="trainable_parameters")


@pytest.mark.parametrize(
    ("specs", "scores", "refused"),
    [
        ((RECALL, LENGTH), np.hstack([FLAT, FLAT + 3]), True),
        ((RECALL,), FLAT, True),
        ((RECALL, SIZE), np.hstack([FLAT, MANY]), True),
        ((RECALL, LENGTH), np.hstack([FLAT, MANY]), False),
        ((RECALL,), FLAT[:4], False),
        ((SIZE,), FLAT, False),
    ],
)
def test_objectives_that_tell_no_two_answers_apart_are_refused(
    specs: tuple[ObjectiveSpec, ...], scores: FloatArray, refused: bool
) -> None:
    if not refused:
        require_differences(specs, scores)
        return
    with raises("spec-no-range", "all 12", "recall 0"):
        require_differences(specs, scores)


def test_what_cannot_move_or_count_is_told_by_name() -> None:
    specs = [
        RECALL.model_copy(update={"range": (0.0, 1.0), "ref": 0.9}),
        LENGTH.model_copy(update={"range": (0.0, 5.0)}),
    ]
    scores = np.column_stack([np.full(12, 0.4), np.arange(12.0) + 20])
    flat, beyond, outside, longer = calibration_notes(calibrate(specs, scores), scores)
    assert "recall is the same for all 12 answers of the base, 0.4" in flat
    assert "recall: no answer of the base is beyond the reference 0.9, the best has 0.4" in beyond
    assert "length of the base's answers, 20 to 31, lies outside of its range 0 to 5" in outside
    assert "length: no answer of the base is beyond the reference 5.5, the best has 20" in longer
    assert calibration_notes(calibrate(specs, scores), scores, costs=(0, 1)) == ()
    assert calibration_notes(calibrate([RECALL, LENGTH], SCORES), SCORES) == ()
