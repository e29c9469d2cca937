"""The share of held-out pairs that a policy moved as people prefer, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paretoflow.core.candidates import Given
from paretoflow.scoring.agreement import agreement
from tests.unit.methods.offline_bench import candidates


def test_labelled_pairs_by_hand() -> None:
    table = candidates(np.zeros((2, 2, 2)))
    given = Given(2, 1.0, ("a", "b"), np.array([[1, 0], [1, -1]]))
    gained = np.array([[1.0, 0.0], [-2.0, -1.0]])
    found = agreement(table, given, table.ref_logprobs + gained)
    assert found == {"pair_accuracy/a": 0.5, "pair_accuracy/b": 1.0}


def test_what_did_not_move_is_not_right_and_who_says_nothing_is_left_out() -> None:
    table = candidates(np.zeros((1, 2, 2)))
    given = Given(1, 1.0, ("a", "b"), np.array([[1, 0]]))
    assert agreement(table, given, table.ref_logprobs) == {"pair_accuracy/a": 0.0}


def test_rated_answers_are_compared_in_all_pairs_that_differ() -> None:
    # rows of 3 and of 2 answers; ties in the ratings are no pair
    gains = np.array([[[1.0], [2.0], [2.0]], [[5.0], [3.0], [5.0]]])
    table = replace(candidates(gains), counts=np.array([3, 2]))
    gained = np.array([[0.0, 1.0, -1.0], [2.0, 0.0, 2.0]])
    found = agreement(table, Given(2, 1.0, ("a",)), table.ref_logprobs + gained)
    assert found == {"pair_accuracy/a": pytest.approx(2 / 3)}
