from __future__ import annotations

import numpy as np
import pytest

from paretoflow.core.errors import NonFiniteError, ShapeError, SpecError
from paretoflow.core.values import Direction
from paretoflow.scoring.calibrate import calibrate, declared_problem, orientation
from paretoflow.spec.objectives import (
    LengthObjectiveSpec,
    RougeObjectiveSpec,
    SystemObjectiveSpec,
)

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
    with pytest.raises(ShapeError, match=r"\(k, 2\)"):
        calibrate([RECALL, LENGTH], SCORES[:, :1])
    with pytest.raises(ShapeError):
        calibrate([RECALL, LENGTH], SCORES[:0])
    with pytest.raises(NonFiniteError):
        calibrate([RECALL, LENGTH], np.array([[0.1, np.nan]]))


def test_a_system_cost_is_not_calibrated() -> None:
    size = SystemObjectiveSpec(type="system", name="size", measure="trainable_parameters")
    scores = np.column_stack([SCORES[:, 0], np.zeros(3)])
    with pytest.raises(SpecError, match=r"objectives\[1\]\.range.*'size' declares no range"):
        calibrate([RECALL, size], scores)
    declared = size.model_copy(update={"range": (0.0, 2e5)})
    info = calibrate([RECALL, declared], scores).objectives[1]
    assert (info.low, info.high, info.ref) == (0.0, 2e5, pytest.approx(2.2e5))


def test_a_declared_problem_needs_every_range() -> None:
    full = [
        RECALL.model_copy(update={"range": (0.0, 1.0)}),
        LENGTH.model_copy(update={"range": (0.0, 90.0), "ref": 95.0}),
    ]
    assert declared_problem(full) == calibrate(full, SCORES)
    with pytest.raises(SpecError, match=r"objectives\[1\]\.range.*'length' declares no range"):
        declared_problem([full[0], LENGTH])


def test_orientation_negates_what_is_minimised_and_undoes_itself() -> None:
    orient = orientation([RECALL, LENGTH])
    np.testing.assert_array_equal(orient(SCORES), SCORES * [1, -1])
    cube = np.arange(12.0).reshape(2, 3, 2)
    assert orient(cube).shape == (2, 3, 2)
    np.testing.assert_array_equal(orient(orient(cube)), cube)
    np.testing.assert_array_equal(orient(SCORES[0]), [0.2, -20.0])
