from __future__ import annotations

import numpy as np
import pytest

from paretoflow.core.values import LaunchKind, Proposal, WeightVector
from paretoflow.proposers.improvements import (
    PolicyChanges,
    observed_changes,
    predicted_changes,
    still_rising,
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


def test_what_began_at_the_base_can_be_left_out():
    rows = [(-1, [0.0, 0.0]), (0, [3.0, 0.0]), (0, [4.0, -1.0])]
    changes = observed_changes(history_of(TENS, [weighted([1, 0])], rows), from_base=False)
    assert changes.deltas == pytest.approx(np.array([[0.1, -0.1]]))


def test_policies_rise_while_later_checkpoints_better_their_weighted_sum_by_more_than_noise():
    def rising(*gains: list[float], stderr: float = 0.0) -> bool | None:
        rows = [(-1, [0.0, 0.0]), *((0, row) for row in gains)]
        return still_rising(history_of(TENS, [weighted([1, 1])], rows, stderr=stderr))

    assert rising([4.0, 4.0]) is None
    assert rising([4.0, 4.0], [5.0, 4.0]) is True
    assert rising([4.0, 4.0], [5.0, 3.9]) is True
    assert rising([4.0, 4.0], [4.1, 4.0]) is False
    # errors of .3 and weights of a half: the sum is uncertain by .3, and twice that is more than .5
    assert rising([4.0, 4.0], [5.0, 4.0], stderr=0.3) is False


def here_and_there(count: int = 8) -> PolicyChanges:
    """Near (.2, .2) the first objective gains what its weight is; near (.8, .8) nothing changes."""
    weight = np.linspace(0, 1, count)
    weights = np.stack([weight, 1 - weight], axis=1)
    starts = np.vstack([np.full((count, 2), 0.2), np.full((count, 2), 0.8)])
    deltas = np.vstack([0.1 * weights, np.zeros((count, 2))])
    return PolicyChanges(starts, np.vstack([weights, weights]), deltas)


def test_predictions_come_from_policies_with_about_the_same_gains():
    candidates = np.array([[1.0, 0.0], [0.5, 0.5]])
    starts = np.array([[0.22, 0.2], [0.8, 0.79]])
    found = predicted_changes(here_and_there(), starts, [candidates, candidates[:1]])
    assert found is not None
    assert found[0] == pytest.approx(0.1 * candidates, abs=0.01)
    assert found[1] == pytest.approx(np.zeros((1, 2)), abs=2e-3)


def test_a_policy_is_predicted_the_same_alone_and_beside_others():
    candidates, starts = np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([[0.2, 0.2], [0.5, 0.45]])
    both = predicted_changes(here_and_there(), starts, [candidates, candidates])
    alone = predicted_changes(here_and_there(), starts[1:], [candidates])
    assert both is not None
    assert alone is not None
    assert both[1] == pytest.approx(alone[0], abs=1e-3)


def test_the_neighbourhood_grows_until_four_weights_are_in_it():
    start, candidates = np.array([[0.5, 0.45]]), np.array([[1.0, 0.0]])
    half = predicted_changes(here_and_there(), start, [candidates])
    assert half is not None
    assert np.isfinite(half[0]).all()


def test_too_few_different_weights_predict_nothing():
    few = here_and_there(3)
    assert predicted_changes(few, np.array([[0.2, 0.2]]), [np.array([[1.0, 0.0]])]) is None


def test_permuting_the_objectives_permutes_the_prediction():
    plain, order = here_and_there(), [1, 0]
    moved = PolicyChanges(plain.starts[:, order], plain.weights[:, order], plain.deltas[:, order])
    at, candidates = np.array([[0.25, 0.18]]), np.array([[0.3, 0.7], [0.9, 0.1]])
    one = predicted_changes(plain, at, [candidates])
    other = predicted_changes(moved, at[:, order], [candidates[:, order]])
    assert one is not None
    assert other is not None
    assert other[0] == pytest.approx(one[0][:, order])
