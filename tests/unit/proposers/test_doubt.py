from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from paretoflow.front.dominance import nondominated
from paretoflow.front.hypervolume import hypervolume
from paretoflow.proposers.doubt import (
    DOUBTFUL,
    EDGE,
    LARGEST,
    Doubts,
    at_stake,
    open_to_doubt,
    wrong_chances,
)
from tests.histories import bent, history_of, opening, problem_of

PAIR = np.array([[0.0, 0.0], [1.0, 1.0]])
ERRORS = np.array([[0.6, 0.6], [0.8, 0.8]])
FIRST_OFF = np.array([False, True])


def test_chances_by_hand() -> None:
    off, on = wrong_chances(PAIR, ERRORS, FIRST_OFF)
    assert off == pytest.approx(1 - norm.cdf(1) ** 2)
    assert on == pytest.approx(norm.cdf(-1) ** 2)
    assert (round(off, 3), round(on, 3)) == (0.292, 0.025)


def test_without_errors_nothing_is_wrong() -> None:
    gains = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]])
    none = np.zeros_like(gains)
    assert wrong_chances(gains, none, np.array([False, True, True])).tolist() == [0.0, 0.0, 0.0]
    assert wrong_chances(none[:0], none[:0], np.zeros(0, dtype=bool)).shape == (0,)


def test_chances_are_those_of_draws() -> None:
    """Where one pair alone is near, what counts draws as independent is exact."""
    rng = np.random.default_rng(0)
    gains = np.array([[0.5, 0.5], [0.52, 0.53], [5.0, 0.0]])
    errors = np.full((3, 2), 0.05)
    draws = gains + errors * rng.standard_normal((20_000, 3, 2))
    on = np.array([nondominated(draw) for draw in draws[:4000]]).mean(axis=0)
    told = wrong_chances(gains, errors, np.array([False, True, True]))
    np.testing.assert_allclose(told, [on[0], 1 - on[1], 1 - on[2]], atol=0.03)


def test_stakes_by_hand() -> None:
    assert EDGE == 2.0
    alone, ref, first = np.array([[1.0, 1.0]]), np.zeros(2), np.arange(1)
    assert at_stake(alone, np.full((1, 2), 0.1), ref, first) == pytest.approx(1.2**2 - 0.8**2)
    both, errors = np.array([[1.0, 1.0], [0.9, 0.9]]), np.array([[0.1, 0.1], [0.0, 0.0]])
    assert at_stake(both, errors, ref, first) == pytest.approx(1.2**2 - 0.9**2)


def test_a_stake_is_what_moving_the_point_moves() -> None:
    rng = np.random.default_rng(2)
    gains = rng.dirichlet(np.ones(3), 12) ** 0.6
    errors = rng.uniform(0.0, 0.1, (12, 3))
    ref = np.full(3, -0.1)
    for row, stake in enumerate(at_stake(gains, errors, ref, np.arange(12))):
        others = np.delete(gains, row, axis=0)
        high, low = (
            hypervolume(np.vstack([others, gains[row] + way * EDGE * errors[row]]), ref)
            for way in (1, -1)
        )
        assert stake == pytest.approx(high - low, abs=1e-12)


def test_what_is_dominated_beyond_doubt_is_left_out() -> None:
    gains = np.array([[1.0, 1.0], [0.9, 0.9], [0.0, 0.9], [0.0, 0.0]])
    errors = np.full((4, 2), 0.1)
    assert open_to_doubt(gains, errors, np.array([0])).tolist() == [0, 1, 2]
    assert open_to_doubt(gains, errors * 0, np.array([0])).tolist() == [0]


@pytest.mark.parametrize("order", [[1, 0], [2, 0, 1]], ids=len)
def test_the_order_of_objectives_does_not_matter(order: list[int]) -> None:
    m = len(order)
    rows = [(i, [v + 0.01 * i for v in g]) for i, g in bent(m)]
    moved = [(i, [g[o] for o in order]) for i, g in rows]
    plain, other = (
        Doubts.of(history_of(problem_of(m), opening(m), r, stderr=0.3)) for r in (rows, moved)
    )
    assert plain.rows.tolist() == other.rows.tolist()
    np.testing.assert_allclose(plain.wrong, other.wrong)
    np.testing.assert_allclose(plain.stake, other.stake)
    assert (plain.stake > 0).any()


def test_the_same_in_any_units() -> None:
    unit, wide = problem_of(2), problem_of(2, 10.0, 30.0)
    rows = bent(2)
    scaled = [(i, [10 + 20 * v for v in g]) for i, g in rows]
    plain = Doubts.of(history_of(unit, opening(2), rows, stderr=0.1))
    other = Doubts.of(history_of(wide, opening(2), scaled, stderr=2.0))
    np.testing.assert_allclose(plain.wrong, other.wrong)
    np.testing.assert_allclose(plain.stake, other.stake)


def test_odd_histories() -> None:
    problem, done, rows = problem_of(2), opening(2), bent(2)
    assert Doubts.of(history_of(problem)).rows.shape == (0,)
    assert Doubts.of(history_of(problem, done, rows)).rows.shape == (0,)  # no errors at all
    alone = Doubts.of(history_of(problem, done[:1], rows[1:2], stderr=0.1))
    assert (alone.wrong.tolist(), alone.stake.tolist()) == ([0.0], [0.0])
    unknown = np.full((4, 2), np.nan)
    unknown[1] = 0.1
    some = Doubts.of(history_of(problem, done, rows, stderr=unknown))
    assert np.isfinite(some.wrong).all()
    many = [(i % 4, r) for i, r in enumerate(np.random.default_rng(0).random((500, 2)).tolist())]
    crowd = Doubts.of(history_of(problem, done, many, stderr=1.0))
    assert len(crowd.rows) == LARGEST
    assert (crowd.stake[crowd.wrong < DOUBTFUL] == 0).all()
