from __future__ import annotations

import numpy as np
import pytest

from paretoflow.methods.conditioned.prompts import goals_of, near_front, sampled_goals, told

LOW, HIGH = np.array([-1.0, -1.0]), np.array([3.0, 3.0])


@pytest.mark.parametrize(
    ("rule", "goals"), [("linf", [3.0, 1.0]), ("l2", [2.8, 0.3]), ("linear", [2.0, 0.0])]
)
def test_goals_by_hand(rule, goals):
    np.testing.assert_array_equal(goals_of(np.array([0.75, 0.25]), LOW, HIGH, rule), goals)


@pytest.mark.parametrize("rule", ["linf", "l2", "linear"])
def test_all_weight_on_one_objective_asks_for_its_best_and_the_others_worst(rule):
    low, high = np.array([-1.0, -2.0, 0.5]), np.array([1.0, 4.0, 2.5])
    for k, weights in enumerate(np.eye(3)):
        expected = np.where(np.arange(3) == k, high, low)
        np.testing.assert_array_equal(goals_of(weights, low, high, rule), expected)


@pytest.mark.parametrize("rule", ["linf", "l2", "linear"])
def test_permuting_objectives_permutes_goals(rule):
    weights, order = np.array([0.2, 0.5, 0.3]), [2, 0, 1]
    low, high = np.array([-1.0, -2.0, 0.5]), np.array([1.0, 4.0, 2.5])
    goals = goals_of(weights, low, high, rule)
    np.testing.assert_array_equal(
        goals_of(weights[order], low[order], high[order], rule), goals[order]
    )


def test_equal_weights_ask_for_everything_by_linf():
    np.testing.assert_array_equal(goals_of(np.array([0.5, 0.5]), LOW, HIGH, "linf"), HIGH)


def test_sampled_goals_leave_one_objective_below_its_best():
    goals = sampled_goals(LOW, HIGH, 500, np.random.default_rng(0))
    assert ((goals < HIGH).sum(axis=1) <= 1).all()
    assert (goals >= LOW).all()
    assert 0.4 < (goals[:, 0] < 3).mean() < 0.6
    assert np.ptp(goals.min(axis=1)) > 3


def test_near_the_front_by_hand():
    scores = np.array([[0.0, 2.0], [1.0, 1.0], [2.0, 0.0], [0.0, 0.0]])
    assert near_front(scores, 0.7).tolist() == [True, False, True, False]
    assert near_front(scores, 0.0).all()
    assert near_front(np.array([[1.0, 2.0]]), 0.7).tolist() == [True]


def test_scores_are_told_without_a_negative_zero():
    assert [str(v) for v in told(np.array([-0.04, 1.26]))] == ["0.0", "1.3"]
