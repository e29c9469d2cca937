"""Many fronts at once agree with each by itself."""

from __future__ import annotations

import numpy as np
import pytest

from paretoflow.front.dominance import nondominated
from paretoflow.front.hypervolume import hypervolume
from paretoflow.front.stacked import (
    members_hypervolumes,
    stacked_fronts,
    stacked_hypervolumes,
    subset_hypervolumes,
)


def stack(m: int, seed: int = 0) -> np.ndarray:
    """Return fronts of nine points with equal coordinates, and some behind the reference."""
    return np.random.default_rng(seed).integers(-2, 6, size=(30, 9, m)).astype(float)


def test_the_cases_worked_by_hand() -> None:
    fronts = np.array([[[1.0, 2], [2, 1]], [[1, 1], [2, 1]]])
    assert stacked_fronts(fronts).tolist() == [[True, True], [False, True]]
    ends, ref = np.array([[2.0, 1], [1, 2]]), np.zeros(2)
    members = np.array([[True, True], [False, True], [False, False]])
    assert subset_hypervolumes(ends, members, ref).tolist() == [3, 2, 0]


@pytest.mark.parametrize("m", [1, 2, 3])
def test_volumes_are_those_of_each_front(m: int) -> None:
    fronts, ref = stack(m), np.full(m, 0.5)
    found = stacked_hypervolumes(fronts, fronts[0], ref)
    assert found == pytest.approx([hypervolume(front, ref) for front in fronts])


@pytest.mark.parametrize("m", [1, 2, 3, 5])
def test_fronts_are_those_of_each_stack_with_all_equal_points(m: int) -> None:
    fronts = stack(m)
    for front, found in zip(fronts, stacked_fronts(fronts), strict=True):
        once = front[nondominated(front)]
        assert {tuple(row) for row in front[found]} == {tuple(row) for row in once}
        assert found.sum() == sum(bool((once == row).all(axis=1).any()) for row in front)


@pytest.mark.parametrize("m", [2, 3])
def test_permuting_objectives_changes_no_volume(m: int) -> None:
    fronts, ref = stack(m), np.linspace(0, 1, m)
    turned = stacked_hypervolumes(fronts[..., ::-1], fronts[0, :, ::-1], ref[::-1])
    assert turned == pytest.approx(stacked_hypervolumes(fronts, fronts[0], ref))


def test_subsets_of_many_objectives_are_near_their_exact_volumes() -> None:
    rng = np.random.default_rng(3)
    points, ref = rng.dirichlet(np.ones(5), size=12) ** 0.5, np.full(5, -0.1)
    members = rng.random((40, 12)) < 0.8
    members[0] = True
    exact = np.array([hypervolume(points[row], ref) for row in members])
    found = subset_hypervolumes(points, members, ref)
    assert found[0] == pytest.approx(exact[0], rel=1e-12)
    assert np.abs(found - exact).max() < 0.02 * exact[0]
    assert subset_hypervolumes(points, members, np.full(5, 9.0)).tolist() == [0.0] * 40


@pytest.mark.parametrize("m", [1, 2, 3])
def test_volumes_of_members_alone_are_those_of_all(m: int) -> None:
    stack = np.random.default_rng(m).normal(size=(20, 12, m))
    ref = np.full(m, -0.5)
    members = stacked_fronts(stack)
    np.testing.assert_allclose(
        members_hypervolumes(stack, members, stack[0], ref),
        stacked_hypervolumes(stack, stack[0], ref),
    )
