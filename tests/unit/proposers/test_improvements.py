from __future__ import annotations

import numpy as np
import pytest

from paretoflow.core.values import LaunchKind, Proposal, WeightVector
from paretoflow.proposers.improvements import (
    Changes,
    fitted_hyperbola,
    hyperbola,
    observed_changes,
    predicted_changes,
    weights_behind,
)
from tests.histories import history_of, problem_of, weighted

TENS = problem_of(2, 0.0, 10.0)


def continued(parent: str, values: list[float], kind: LaunchKind = LaunchKind.WEIGHTED) -> Proposal:
    return Proposal(kind, WeightVector.of(values), 0, "Because.", "by hand", parent=parent)


def test_a_run_continues_the_base_and_each_evaluation_the_one_before():
    rows = [(-1, [0.0, 0.0]), (0, [3.0, 0.0]), (0, [4.0, -1.0])]
    changes = observed_changes(history_of(TENS, [weighted([1, 0])], rows))
    assert changes.deltas == pytest.approx(np.array([[0.3, 0.0], [0.1, -0.1]]))
    assert changes.starts == pytest.approx(np.array([[0.0, 0.0], [0.3, 0.0]]))
    assert changes.weights.tolist() == [[1.0, 0.0], [1.0, 0.0]]


def test_a_run_with_a_parent_continues_that_and_a_constrained_one_is_left_out():
    done = [
        weighted([1, 0]),
        continued("r0000-a0-s0000", [1, 3]),
        continued("r0000-a0-s0000", [0, 1], LaunchKind.CONSTRAINED),
        continued("r0009-a0-s0009", [0, 1]),
    ]
    # the two evaluated runs end out of order; nothing is known of where the last began
    rows = [(0, [5.0, 1.0]), (2, [1.0, 9.0]), (1, [4.0, 3.0]), (3, [1.0, 8.0]), (1, [4.0, 4.0])]
    changes = observed_changes(history_of(TENS, done, rows))
    assert len(changes) == 2
    assert changes.deltas == pytest.approx(np.array([[-0.1, 0.2], [0.0, 0.1]]))
    assert changes.weights == pytest.approx(np.array([[0.25, 0.75]] * 2))


def test_weights_of_a_run_not_ended_are_taken_to_be_even():
    history = history_of(TENS, [weighted([1, 0])], [(-2, [1.0, 1.0]), (0, [2.0, 0.0])])
    assert weights_behind(history, 0).array == pytest.approx([0.5, 0.5])
    assert weights_behind(history, 1).array == pytest.approx([1.0, 0.0])
    assert len(observed_changes(history)) == 0


def test_the_hyperbola_by_hand_and_against_the_papers_own_form():
    by_hand = hyperbola(np.array([0.0, 1.0]), np.array([2.0, np.log(3), 0.0, 1.0]))
    assert by_hand == pytest.approx([1.0, 2.0])
    x = np.linspace(0, 1, 9)
    height, slope, centre, level = 0.3, 7.0, 0.4, -0.1
    grown = np.exp(slope * (x - centre))
    papers = height * (grown - 1) / (grown + 1) + level
    assert hyperbola(x, np.array([height, slope, centre, level])) == pytest.approx(papers)


def test_a_fit_recovers_a_hyperbola_and_an_outlier_moves_it_little():
    x = np.linspace(0, 1, 15)
    y = hyperbola(x, np.array([0.2, 8.0, 0.6, 0.05]))
    assert hyperbola(x, fitted_hyperbola(x, y, np.ones(15))) == pytest.approx(y, abs=2e-3)
    torn = y.copy()
    torn[3] += 1.0
    assert hyperbola(x, fitted_hyperbola(x, torn, np.ones(15))) == pytest.approx(y, abs=0.04)


def test_points_without_a_share_do_not_count():
    x = np.array([0.0, 0.25, 0.5, 0.75, 1.0, 0.5])
    y = np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.9])
    found = hyperbola(x, fitted_hyperbola(x, y, np.array([1, 1, 1, 1, 1, 0.0])))
    assert found == pytest.approx(0.1, abs=1e-3)


def test_constant_changes_and_equal_weights_are_fitted_too():
    same = fitted_hyperbola(np.full(5, 0.5), np.linspace(0, 0.2, 5), np.ones(5))
    assert hyperbola(np.array([0.5]), same) == pytest.approx([0.1], abs=0.02)


def here_and_there(count: int = 8) -> Changes:
    """Near (.2, .2) the first objective gains what its weight is; near (.8, .8) nothing changes."""
    weight = np.linspace(0, 1, count)
    weights = np.stack([weight, 1 - weight], axis=1)
    starts = np.vstack([np.full((count, 2), 0.2), np.full((count, 2), 0.8)])
    deltas = np.vstack([0.1 * weights, np.zeros((count, 2))])
    return Changes(starts, np.vstack([weights, weights]), deltas)


def test_predictions_come_from_policies_with_about_the_same_gains():
    candidates = np.array([[1.0, 0.0], [0.5, 0.5]])
    near = predicted_changes(here_and_there(), np.array([0.22, 0.2]), candidates)
    assert near == pytest.approx(0.1 * candidates, abs=0.01)
    far = predicted_changes(here_and_there(), np.array([0.8, 0.79]), candidates)
    assert far == pytest.approx(np.zeros((2, 2)), abs=2e-3)


def test_the_neighbourhood_grows_until_four_weights_are_in_it():
    half = predicted_changes(here_and_there(), np.array([0.5, 0.45]), np.array([[1.0, 0.0]]))
    assert half is not None
    assert np.isfinite(half).all()


def test_too_few_different_weights_predict_nothing():
    few = here_and_there(3)
    assert predicted_changes(few, np.array([0.2, 0.2]), np.array([[1.0, 0.0]])) is None


def test_permuting_the_objectives_permutes_the_prediction():
    plain, order = here_and_there(), [1, 0]
    moved = Changes(plain.starts[:, order], plain.weights[:, order], plain.deltas[:, order])
    at, candidates = np.array([0.25, 0.18]), np.array([[0.3, 0.7], [0.9, 0.1]])
    one = predicted_changes(plain, at, candidates)
    other = predicted_changes(moved, at[order], candidates[:, order])
    assert one is not None
    assert other is not None
    assert other == pytest.approx(one[:, order])
