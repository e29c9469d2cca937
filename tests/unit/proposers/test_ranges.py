from __future__ import annotations

from dataclasses import replace

import numpy as np

from paretoflow.proposers.ranges import normalised, normalised_errors, normalised_ref, scale_of
from tests.histories import history_of, problem_of, weighted


def test_gains_are_in_shares_of_the_ranges_by_hand() -> None:
    found = history_of(problem_of(2), [weighted([0.5, 0.5])], [(0, [6.0, 3.0])], stderr=0.5)
    history = replace(
        found,
        nadir=np.array([4.0, 3.0]),
        ideal=np.array([8.0, 3.0]),  # the second range is empty: its gains stay as they are
        ref=np.array([3.0, 2.0]),
    )
    assert scale_of(history).tolist() == [4.0, 1.0]
    assert normalised(history).tolist() == [[0.5, 0.0]]
    assert normalised_errors(history).tolist() == [[0.125, 0.5]]
    assert normalised_ref(history).tolist() == [-0.25, -1.0]
