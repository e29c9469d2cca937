from __future__ import annotations

import numpy as np
import pytest

from paretoflow.core.errors import NonFiniteError
from paretoflow.core.ids import rng_of
from paretoflow.front.dominance import ranks
from paretoflow.front.halving import ahead, halving_order, quota, rung_steps, spread_order

FRONT = [(0, 4), (1, 3.5), (3, 3), (4, 0)]


def test_rungs_by_hand() -> None:
    assert rung_steps(10, 3, 100) == (10, 30, 90)
    assert rung_steps(10, 3, 90) == (10, 30)  # the end of a run is no rung
    assert rung_steps(40, 2, 40) == ()


def test_far_apart_points_come_first_by_hand() -> None:
    assert spread_order(FRONT).tolist() == [2, 0, 3, 1]


def test_halving_by_hand() -> None:
    assert halving_order([*FRONT, (2, 2)]).tolist() == [2, 0, 3, 1, 4]


@pytest.mark.parametrize(("count", "goes_on"), [(1, 1), (2, 1), (3, 1), (4, 2), (6, 2), (7, 3)])
def test_one_in_three_goes_on_and_the_first_always(count: int, goes_on: int) -> None:
    assert quota(count, 3) == goes_on


def test_ahead_by_hand() -> None:
    point, front = [0.50, 0.50], [[0.56, 0.56], [0.56, 0.54], [0.90, 0.49]]
    assert ahead(point, [0.03, 0.03], front, np.full((3, 2), 0.04)).tolist() == [0]
    assert ahead(point, [0.0, 0.0], front, np.zeros((3, 2))).tolist() == [0, 1]


def test_without_noise_nothing_is_ahead_of_its_equal() -> None:
    assert ahead([1, 2], [0, 0], [[1, 2], [1, 3]], np.zeros((2, 2))).tolist() == [1]
    assert ahead([1, 2], [0.1, 0.1], [[1, 2]], [[0.1, 0.1]]).tolist() == []


@pytest.mark.parametrize("m", [2, 3, 5])
def test_the_order_peels_fronts_and_is_greedy_inside_each(m: int) -> None:
    gains = rng_of("halving", m).random((40, m))
    order, rank = halving_order(gains), ranks(gains)
    assert sorted(order.tolist()) == list(range(40))
    assert (np.diff(rank[order]) >= 0).all()
    for level in range(rank.max() + 1):
        front = [int(i) for i in order if rank[i] == level]
        assert gains[front[0]].sum() == pytest.approx(gains[front].sum(axis=1).max())
        for place in range(1, len(front)):
            chosen, left = gains[front[:place]], gains[front[place:]]
            gaps = np.linalg.norm(left[:, None] - chosen, axis=2).min(axis=1)
            assert gaps[0] == pytest.approx(gaps.max())


def test_the_order_of_objectives_changes_nothing_and_that_of_the_rows_only_their_numbers() -> None:
    rng = rng_of("halving orders")
    gains = rng.random((30, 4))
    order, rows = halving_order(gains), rng.permutation(30)
    np.testing.assert_array_equal(halving_order(gains[:, rng.permutation(4)]), order)
    np.testing.assert_array_equal(rows[halving_order(gains[rows])], order)


def test_copies_of_a_point_come_after_all_others_of_its_front() -> None:
    assert halving_order([(1, 1), (1, 1), (2, 0), (0, 2)]).tolist() == [0, 2, 3, 1]


def test_nothing_and_a_missing_score() -> None:
    assert halving_order(np.zeros((0, 2))).tolist() == []
    with pytest.raises(NonFiniteError):
        halving_order([(1, np.nan)])
