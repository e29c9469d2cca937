from itertools import pairwise
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from paretoflow.front.simplex import (
    das_dennis,
    even_simplex,
    lattice_at_least,
    spread_order,
    symmetric_simplex,
    uniform_simplex,
)
from tests.faults import raises


def test_lattice_by_hand() -> None:
    np.testing.assert_array_equal(das_dennis(2, 2), [[0, 1], [0.5, 0.5], [1, 0]])
    np.testing.assert_array_equal(das_dennis(1, 5), [[1.0]])
    np.testing.assert_array_equal(das_dennis(3, 1), [[0, 0, 1], [0, 1, 0], [1, 0, 0]])


@pytest.mark.parametrize(("m", "divisions"), [(2, 1), (2, 9), (3, 4), (4, 5), (6, 3)])
def test_lattice_is_pymoos(m: int, divisions: int) -> None:
    from pymoo.util.ref_dirs import get_reference_directions

    theirs = get_reference_directions("das-dennis", m, n_partitions=divisions)
    np.testing.assert_allclose(das_dennis(m, divisions), theirs[np.lexsort(theirs.T[::-1])])


@given(st.integers(1, 5), st.integers(1, 7))
def test_lattice_lies_on_the_simplex_without_repeats(m: int, divisions: int) -> None:
    weights = das_dennis(m, divisions)
    assert len(weights) == comb(divisions + m - 1, m - 1) == len(np.unique(weights, axis=0))
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert (weights >= 0).all()


@given(st.integers(2, 5), st.integers(1, 200))
def test_lattice_at_least_is_the_coarsest_that_suffices(m: int, count: int) -> None:
    size = len(lattice_at_least(m, count))
    divisions = next(d for d in range(1, 300) if comb(d + m - 1, m - 1) == size)
    assert size >= count
    assert divisions == 1 or comb(divisions + m - 2, m - 1) < count
    assert len(lattice_at_least(1, count)) == 1


def test_spread_order_by_hand() -> None:
    firsts = np.array([0, 0.25, 0.5, 0.75, 1])
    order = spread_order(np.column_stack([firsts, 1 - firsts]))
    assert firsts[order].tolist() == [1, 0, 0.5, 0.25, 0.75]


@pytest.mark.parametrize(("m", "divisions"), [(2, 8), (3, 4), (4, 3)])
def test_spread_order_starts_with_the_corners_and_goes_from_coarse_to_fine(
    m: int, divisions: int
) -> None:
    weights = das_dennis(m, divisions)
    order = spread_order(weights)
    assert sorted(order.tolist()) == list(range(len(weights)))
    np.testing.assert_array_equal(weights[order[:m]], np.eye(m))
    gaps = [
        np.linalg.norm(weights[order[:i]] - weights[order[i]], axis=1).min()
        for i in range(m, len(order))
    ]
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(gaps))


def test_spread_order_breaks_ties_by_index_despite_rounding() -> None:
    weights = das_dennis(3, 3)
    noisy = weights + np.random.default_rng(0).normal(scale=1e-15, size=weights.shape)
    np.testing.assert_array_equal(spread_order(noisy), spread_order(weights))


def test_spread_order_of_nothing_one_and_bad_weights() -> None:
    assert spread_order([]).shape == (0,)
    assert spread_order([[1.0]]).tolist() == [0]
    assert spread_order([[0.5, 0.5], [0.5, 0.5]]).tolist() == [0, 1]
    with raises("non-finite", "weights"):
        spread_order([[np.nan, 1.0]])


@pytest.mark.parametrize("m", [1, 2, 3, 6])
def test_draws_are_on_the_simplex_reproducible_and_extend_shorter_draws(m: int) -> None:
    draws = uniform_simplex(m, 50, seed=3)
    assert draws.shape == (50, m)
    assert (draws >= 0).all()
    np.testing.assert_allclose(draws.sum(axis=1), 1.0)
    np.testing.assert_array_equal(draws[:20], uniform_simplex(m, 20, seed=3))


@pytest.mark.parametrize("m", [2, 3, 4])
def test_draws_have_the_marginals_of_the_uniform_simplex(m: int) -> None:
    draws = uniform_simplex(m, 4000, seed=0)
    for column in draws.T:
        # each weight is Beta(1, m - 1)
        assert kstest(column, lambda x: 1 - (1 - x) ** (m - 1)).pvalue > 1e-3


@pytest.mark.parametrize("m", [1, 2, 3, 5, 8])
def test_even_weights_are_on_the_simplex_and_better_spread_than_draws(m: int) -> None:
    weights = even_simplex(m, 256)
    assert weights.shape == (256, m)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    np.testing.assert_allclose(weights.mean(axis=0), 1 / m, atol=0.012)
    # the largest of m weights is H_m / m in the mean; 256 draws miss it by 0.006 to 0.009
    largest = sum(1 / i for i in range(1, m + 1)) / m
    assert weights.max(axis=1).mean() == pytest.approx(largest, abs=0.002)


def test_sizes_that_make_no_sense_are_refused() -> None:
    for call in (
        lambda: das_dennis(0, 2),
        lambda: das_dennis(2, 0),
        lambda: lattice_at_least(2, 0),
        lambda: uniform_simplex(0, 1, 0),
        lambda: even_simplex(2, -1),
    ):
        with raises("shape", "got"):
            call()
    with raises("shape", "draw uniform"):
        das_dennis(10, 20)


@pytest.mark.parametrize("m", [1, 2, 3, 4, 6])
def test_symmetric_weights_favour_no_objective(m: int) -> None:
    weights = symmetric_simplex(m, 256)
    assert len(weights) >= (256 if m > 1 else 1)
    assert (weights > 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    np.testing.assert_allclose(weights.mean(axis=0), 1 / m)
    # those of the uniform distribution
    np.testing.assert_allclose(weights.var(axis=0), (m - 1) / (m**2 * (m + 1)), atol=1e-12)
    rows = {tuple(row) for row in weights.round(9)}
    for order in (np.roll(np.arange(m), 1), np.arange(m)[::-1]):
        assert {tuple(row) for row in weights[:, order].round(9)} == rows


def test_symmetric_weights_by_hand() -> None:
    low = (1 - 3**-0.5) / 2
    np.testing.assert_allclose(symmetric_simplex(2, 2), [[low, 1 - low], [1 - low, low]])
