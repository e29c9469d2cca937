from __future__ import annotations

import numpy as np
import pytest

from paretoflow.proposers.asked import Asked
from paretoflow.proposers.spread import even_sample, farthest_first, spread_launch
from tests.histories import weighted


def test_farthest_first_by_hand():
    line = np.array([[0.0], [0.25], [0.5], [1.0]])
    assert farthest_first(line, line[[0, 3]], 4) == [2, 1]
    assert farthest_first(line, np.empty((0, 1)), 2) == [0, 3]
    assert farthest_first(line, line, 2) == []


def test_the_widest_gap_in_weight_space_is_halved():
    tried = [weighted([x, 1 - x]) for x in (0.0, 0.1, 0.2, 0.8, 0.9, 1.0)]
    launch = spread_launch(Asked(tried), ("coverage", "brevity"), 3, "No gap", "empty_box")
    assert launch.weights.array == pytest.approx([0.5, 0.5], abs=0.02)
    assert launch.reason.startswith("No gap; trains the preference farthest")


def test_the_first_weights_of_all_need_nothing_tried():
    launch = spread_launch(Asked(), ("coverage", "brevity"), 3, "No gap", "empty_box")
    assert launch.tag == "spread"


def test_an_even_sample_keeps_both_ends() -> None:
    assert even_sample(np.arange(9), 5).tolist() == [0, 2, 4, 6, 8]
    assert even_sample(np.arange(3), 5).tolist() == [0, 1, 2]
