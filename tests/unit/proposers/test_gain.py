from __future__ import annotations

import numpy as np
import pytest

from paretoflow.front.hypervolume import improvement
from paretoflow.proposers.gain import MOST_POINTS, OpenRegion, open_cells, outcome_grid

STAIRS = np.array([[2.0, 1.0], [1.0, 2.0]])
ORIGIN = np.zeros(2)


def shell(n: int, m: int) -> np.ndarray:
    points = np.abs(np.random.default_rng(n).standard_normal((n, m)))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def test_the_cells_of_a_staircase_by_hand():
    lowers, uppers = open_cells(STAIRS, ORIGIN)
    assert lowers.tolist() == [[2, 0], [1, 1], [0, 2]]
    assert uppers.tolist() == [[np.inf, 1], [np.inf, 2], [np.inf, np.inf]]
    region = OpenRegion.beyond(STAIRS, ORIGIN)
    points = np.array([[[2.0, 2.0], [1.0, 1.0]], [[3.0, 1.0], [-1.0, 9.0]]])
    assert region.gains(points) == pytest.approx(np.array([[1.0, 0.0], [1.0, 0.0]]))


@pytest.mark.parametrize(("n", "m"), [(1, 2), (12, 2), (9, 3), (6, 4), (4, 6)])
def test_cells_add_up_to_the_improvement_of_the_hypervolume(n, m):
    front, ref = shell(n, m), np.full(m, -0.1)
    points = 1.3 * np.random.default_rng(1).random((60, m)) - 0.2
    region = OpenRegion.beyond(np.vstack([front, front * 0.9]), ref)
    assert region.is_cut
    assert region.gains(points) == pytest.approx(improvement(points, front, ref))
    order = np.arange(m)[::-1]
    swapped = OpenRegion.beyond(front[:, order], ref)
    assert swapped.gains(points[:, order]) == pytest.approx(region.gains(points))


def test_an_empty_front_leaves_all_beyond_the_reference():
    region = OpenRegion.beyond(np.empty((0, 2)), ORIGIN)
    assert region.gains(np.array([[2.0, 3.0], [-1.0, 3.0]])) == pytest.approx([6.0, 0.0])


def test_a_large_front_is_thinned_and_taken_point_by_point():
    front, ref = shell(300, 4), np.zeros(4)
    region = OpenRegion.beyond(front, ref)
    assert len(region.front) == MOST_POINTS
    assert not region.is_cut
    points = shell(5, 4) * 1.1
    assert (region.gains(points) >= improvement(points, front, ref) - 1e-12).all()


@pytest.mark.parametrize("m", [2, 3])
def test_the_grid_of_outcomes_has_the_moments_of_a_normal_distribution(m):
    steps, odds = outcome_grid(m)
    assert odds.sum() == pytest.approx(1)
    assert odds @ steps == pytest.approx(np.zeros(m))
    assert (steps.T * odds) @ steps == pytest.approx(np.eye(m))
    assert odds @ steps**4 == pytest.approx(np.full(m, 3.0))
