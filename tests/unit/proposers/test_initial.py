from __future__ import annotations

import numpy as np
import pytest

from paretoflow.core.values import WeightVector
from paretoflow.proposers.asked import Asked
from paretoflow.proposers.initial import initial_count, initial_launch, initial_weights
from tests.histories import weighted


def test_two_objectives_open_with_both_corners_and_the_middle():
    assert initial_count(2, None) == 3
    assert [w.values for w in initial_weights(2, 5)] == [
        (1.0, 0.0),
        (0.0, 1.0),
        (0.5, 0.5),
        (0.25, 0.75),
        (0.75, 0.25),
    ]


@pytest.mark.parametrize("m", [2, 3, 4, 10])
def test_a_longer_opening_begins_with_corners_and_centre_and_repeats_nothing(m):
    weights = [w.array for w in initial_weights(m, m + 8)]
    assert np.array(weights[:m]).tolist() == np.eye(m).tolist()
    assert weights[m] == pytest.approx(np.full(m, 1 / m))
    assert len({tuple(w) for w in weights}) == m + 8


def test_a_short_opening_leaves_corners_out():
    assert [w.values for w in initial_weights(3, 2)] == [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0)]


def test_weights_tried_by_anyone_are_not_asked_for_again():
    names = ("coverage", "brevity")
    asked = [weighted([0, 1], tag="draw"), weighted([0.5, 0.5])]
    launch = initial_launch(Asked(asked), 3, names, 0, "cmorl")
    assert launch is not None
    assert launch.weights == WeightVector((1.0, 0.0))
    assert "coverage alone" in launch.reason
    assert initial_launch(Asked([*asked, launch]), 3, names, 0, "cmorl") is None
