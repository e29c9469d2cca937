from __future__ import annotations

import numpy as np
import pytest

from paretoflow.proposers.corners import corner_weights, envelope, value_bounds, within_supports

ENDS = np.eye(2)
BENT = np.array([[1.0, 0.0], [0.0, 1.0], [0.75, 0.75]])


def shell(n: int, m: int) -> np.ndarray:
    points = np.abs(np.random.default_rng(n).standard_normal((n, m)))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def test_corners_by_hand():
    assert corner_weights(ENDS).tolist() == [[0, 1], [0.5, 0.5], [1, 0]]
    assert corner_weights(BENT).tolist() == [[0, 1], [0.25, 0.75], [0.75, 0.25], [1, 0]]
    # a point below the line between two others has no say
    below = np.vstack([ENDS, [[0.4, 0.4]]])
    assert corner_weights(below).tolist() == corner_weights(ENDS).tolist()
    assert corner_weights(np.array([[0.3, 0.3]])).tolist() == [[0, 1], [1, 0]]
    assert corner_weights(np.full((3, 2), 0.3)).tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("m", [2, 3, 4])
def test_at_an_inner_corner_as_many_points_tie_as_there_are_objectives(m):
    points = shell(12, m)
    corners = corner_weights(points)
    inner = corners[(corners > 1e-6).all(axis=1)]
    assert len(inner)
    sums = inner @ points.T
    ties = (sums > sums.max(axis=1, keepdims=True) - 1e-6).sum(axis=1)
    assert (ties >= m).all()


@pytest.mark.parametrize("m", [2, 3, 4])
def test_the_simplex_has_its_own_corners_and_swapping_objectives_swaps_all(m):
    points = shell(12, m)
    corners = corner_weights(points)
    assert set(map(tuple, np.eye(m).tolist())) <= set(map(tuple, corners.tolist()))
    order = np.arange(m)[::-1]
    swapped = corner_weights(points[:, order])[:, order]
    assert swapped[np.lexsort(swapped.T)] == pytest.approx(corners[np.lexsort(corners.T)], abs=1e-6)


def test_bounds_by_hand():
    where = np.array([[0.75, 0.25], [0.5, 0.5], [1.0, 0.0]])
    assert value_bounds(where, ENDS, np.ones(2), np.ones(2)) == pytest.approx([1, 1, 1])
    weights = np.vstack([ENDS, [[0.5, 0.5]]])
    bounds = value_bounds(where, weights, np.array([1, 1, 0.75]), np.ones(2))
    assert bounds == pytest.approx([0.875, 0.75, 1])
    assert value_bounds(where[:1], weights[:0], np.empty(0), np.ones(2)) == pytest.approx([1])


@pytest.mark.parametrize("m", [2, 3, 4])
def test_bounds_are_those_of_the_linear_program(m):
    from scipy.optimize import linprog

    rng = np.random.default_rng(m)
    points, weights = shell(8, m), np.vstack([np.eye(m), rng.dirichlet(np.ones(m), 6)])
    values, where = envelope(weights, points), rng.dirichlet(np.ones(m), 5)
    limits = [(None, 1.0)] * m
    solved = [-linprog(-w, A_ub=weights, b_ub=values, bounds=limits).fun for w in where]
    found = value_bounds(where, weights, values, np.ones(m))
    assert found == pytest.approx(np.array(solved))
    assert (found >= envelope(where, points) - 1e-9).all()


def test_points_beyond_a_support_are_moved_to_it():
    points = np.array([[[1.0, 1.0], [0.2, 0.6]]])
    moved = within_supports(points, np.array([[0.5, 0.5]]), np.array([0.5]))
    assert moved == pytest.approx(np.array([[[0.5, 0.5], [0.2, 0.6]]]))
    weights = np.vstack([ENDS, [[0.5, 0.5]]])
    both = within_supports(np.array([[2.0, 0.9]]), weights, np.array([1.0, 1.0, 0.75]))
    assert (weights @ both[0] <= np.array([1.0, 1.0, 0.75]) + 0.05).all()
