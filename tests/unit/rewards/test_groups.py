from __future__ import annotations

import numpy as np
import pytest

from paretoflow.core.values import FloatArray, IntArray
from paretoflow.rewards.groups import (
    Search,
    choose_groups,
    find_groups,
    fit_reward,
    projected,
)
from paretoflow.rewards.metrics import ranking_accuracy


def _users(seed: int, minority: int = 10, users: int = 100, each: int = 12, d: int = 6):
    """Return pairs of noisy users of whom the last `minority` want something else."""
    rng = np.random.default_rng(seed)
    wants = np.zeros((2, d))
    wants[0, 0], wants[1, 0], wants[1, 1] = 3.0, -2.0, 2.5
    truth: IntArray = np.repeat([0, 1], [users - minority, minority])
    annotators = np.repeat(np.arange(users), each)
    differences = rng.normal(size=(len(annotators), d))
    margins = np.sum(differences * wants[truth[annotators]], axis=1)
    kept = rng.random(len(margins)) < 1 / (1 + np.exp(-margins))
    return differences * np.where(kept, 1, -1)[:, None], annotators, truth


def adjusted_rand_index(a: IntArray, b: IntArray) -> float:
    """Return the agreement of two partitions: 1 for the same, 0 by chance (Hubert, Arabie 1985)."""

    def pairs(counts: FloatArray) -> float:
        return float((counts * (counts - 1) / 2).sum())

    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)
    both, first, second = pairs(table), pairs(table.sum(1)), pairs(table.sum(0))
    expected = first * second / pairs(np.array([len(a)], dtype=float))
    return (both - expected) / ((first + second) / 2 - expected)


def test_the_measure_of_agreement() -> None:
    groups = np.array([0, 0, 1, 1, 2])
    assert adjusted_rand_index(groups, np.array([2, 2, 0, 0, 1])) == 1.0
    assert adjusted_rand_index(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])) == pytest.approx(
        -0.5
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_minority_of_a_tenth_is_found(seed: int) -> None:
    differences, annotators, truth = _users(seed)
    found = find_groups(differences, annotators, Search(2, seed=seed))
    assert adjusted_rand_index(found.groups, truth) > 0.9
    assert (np.bincount(found.groups) == sorted(np.bincount(found.groups))[::-1]).all()


def test_the_minority_gains_and_the_majority_loses_less_than_a_twentieth() -> None:
    differences, annotators, _ = _users(0)
    mixture = find_groups(differences, annotators, Search(2))
    fresh, whose, groups = _users(99)
    one = fit_reward(differences, 1.0)
    accuracy = {}
    for group in (0, 1):
        pairs = fresh[groups[whose] == group]
        accuracy[group] = (
            ranking_accuracy(pairs @ one),
            ranking_accuracy(pairs @ mixture.weights[group]),
        )
    assert accuracy[1][1] > accuracy[1][0] + 0.2
    assert accuracy[0][1] > accuracy[0][0] * 0.95


def test_the_e_step_by_hand() -> None:
    weights = np.array([[1.0], [-1.0]])
    groups, likelihood = choose_groups(
        np.array([[2.0], [-1.0], [-3.0]]), np.array([0, 0, 1]), weights
    )
    assert groups.tolist() == [0, 1]
    assert likelihood == pytest.approx(-(0.126928 + 1.313262 + 0.048587), abs=1e-5)


def test_the_m_step_by_hand() -> None:
    assert fit_reward(np.array([[1.0]]), 0.5) == pytest.approx([0.674832], abs=1e-5)
    assert fit_reward(np.zeros((0, 3)), 1.0).tolist() == [0, 0, 0]


def test_more_rounds_are_never_less_likely() -> None:
    differences, annotators, _ = _users(3)
    likelihoods = [
        find_groups(differences, annotators, Search(2, restarts=1, iterations=i)).log_likelihood
        for i in (1, 2, 20)
    ]
    assert likelihoods == sorted(likelihoods)


def test_more_groups_than_annotators_leave_some_empty() -> None:
    found = find_groups(np.array([[1.0], [-1.0]]), np.array([0, 1]), Search(3))
    assert sorted(found.groups.tolist()) == [0, 1]
    assert found.weights.shape == (3, 1)


def test_projection_keeps_what_few_axes_can_hold() -> None:
    rng = np.random.default_rng(0)
    differences = rng.normal(size=(50, 2)) @ rng.normal(size=(2, 30))
    found = projected(differences, 2)
    scale = np.sqrt(np.square(differences).sum(axis=1).mean() / 2)
    np.testing.assert_allclose(found @ found.T, differences @ differences.T / scale**2)
    assert np.mean(found**2) == pytest.approx(1.0)
    assert not projected(np.zeros((3, 4)), 2).any()
