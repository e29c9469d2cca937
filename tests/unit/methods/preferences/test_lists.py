"""Lists of scored answers: order, choice, labels, equal answers."""

from __future__ import annotations

import numpy as np

from paretoflow.methods.preferences.lists import distinct, scored_lists
from tests.unit.methods.offline_bench import candidates

ONE = np.ones(1)


def test_a_list_goes_from_the_best_at_one_to_the_worst_at_zero():
    (row,) = scored_lists(candidates([[[1.0], [5.0], [2.0]]]), ONE, 8)
    assert (row.prompt, row.answers) == (0, (1, 2, 0))
    np.testing.assert_allclose(row.labels, [1, 0.25, 0])


def test_a_short_list_has_both_ends_and_what_lies_evenly_between():
    gains = [[[float(g)] for g in (0, 10, 20, 30, 100)]]
    assert scored_lists(candidates(gains), ONE, 2)[0].answers == (4, 0)
    (row,) = scored_lists(candidates(gains), ONE, 3)
    assert row.answers == (4, 2, 0)
    np.testing.assert_allclose(row.labels, [1, 0.2, 0])


def test_weights_decide_the_order():
    table = candidates([[[1.0, 0], [0, 1], [-1, -1]]])
    assert scored_lists(table, np.array([0.9, 0.1]), 8)[0].answers == (0, 1, 2)
    assert scored_lists(table, np.array([0.1, 0.9]), 8)[0].answers == (1, 0, 2)


def test_equal_answers_enter_once_and_equal_scores_make_no_list():
    ids = (((7, 2), (7, 2), (8, 2)), ((7, 2), (8, 2), (9, 2)))
    table = candidates([[[1.0], [1.0], [0.0]], [[3.0], [3.0], [3.0]]], ids=ids)
    assert distinct(table, 0).tolist() == [0, 2]
    assert [(row.prompt, row.answers) for row in scored_lists(table, ONE, 8)] == [(0, (0, 2))]


def test_equal_scores_keep_the_order_of_the_answers():
    (row,) = scored_lists(candidates([[[0.0], [1.0], [1.0]]]), ONE, 8)
    assert row.answers == (1, 2, 0)
    assert row.labels.tolist() == [1, 1, 0]


def test_a_list_of_two_is_the_prompts_widest_pair():
    from paretoflow.methods.preferences.pairs import PairTable

    rng = np.random.default_rng(0)
    table = candidates(rng.normal(size=(20, 5, 3)))
    weights = np.array([0.5, 0.3, 0.2])
    lists = [(row.prompt, *row.answers) for row in scored_lists(table, weights, 2)]
    assert lists == [tuple(row) for row in PairTable(table, 1).ranked(weights).tolist()]
