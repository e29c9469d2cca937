from __future__ import annotations

import numpy as np

from paretoflow.core.values import Direction, ObjectiveInfo, Problem, WeightVector
from paretoflow.proposers.wording import bounds, improve, preference

PROBLEM = Problem(
    (
        ObjectiveInfo("coverage", Direction.MAXIMIZE, "", 0, 1, 0),
        ObjectiveInfo("length", Direction.MINIMIZE, "words", 0, 60, 60),
        ObjectiveInfo("warmth", Direction.MAXIMIZE, "", 0, 1, 0),
    )
)


def test_bounds_are_in_raw_units_and_leave_the_target_out():
    thresholds = np.array([0.41234, -35.0, 0.2])
    assert bounds(thresholds, 2, PROBLEM) == "coverage at least 0.4123, length at most 35"
    assert bounds(np.array([0.5, -np.inf, 0.2]), 2, PROBLEM) == "coverage at least 0.5"


def test_better_is_said_in_the_objectives_direction():
    assert improve(0, PROBLEM) == "raises coverage"
    assert improve(1, PROBLEM) == "lowers length"


def test_a_preference_names_what_it_weighs():
    weights = WeightVector((0.7, 0.3, 0.0))
    assert preference(weights, PROBLEM.names) == "coverage 0.70, length 0.30"
