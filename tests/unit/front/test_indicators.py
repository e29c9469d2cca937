import moocore
import numpy as np
import pytest
from hypothesis import given

from paretoflow.core.errors import NonFiniteError, ShapeError
from paretoflow.core.values import FloatArray
from paretoflow.front.indicators import (
    EUM_GRID,
    cardinality,
    coverage,
    crowding_distance,
    epsilon_additive,
    eum,
    eum_grid,
    igd_plus,
    sparsity,
)
from tests.faults import raises
from tests.unit.front.shapes import sphere, tied_gains


def test_eum_by_hand() -> None:
    weights = [[1, 0], [0.5, 0.5], [0, 1]]
    assert eum([[1, 0], [0, 1]], weights) == pytest.approx(2.5 / 3)


def test_eum_grid_is_named_large_and_uniform() -> None:
    assert EUM_GRID.endswith("-256")
    assert all(256 <= len(eum_grid(m)) < 512 for m in range(2, 9))
    # E max(w, 1 - w) = 3/4 for w uniform on (0, 1), and E max of three = 11/18
    assert eum(np.eye(2), eum_grid(2)) == pytest.approx(0.75, abs=0.005)
    assert eum(np.eye(3), eum_grid(3)) == pytest.approx(11 / 18, abs=0.01)
    assert eum([[4.0], [2.0]], eum_grid(1)) == pytest.approx(4.0)


@pytest.mark.parametrize("m", [2, 3, 4, 5])
def test_expected_utility_does_not_depend_on_the_order_of_objectives(m: int) -> None:
    gains = np.random.default_rng(m).random((9, m))
    swapped = [gains[:, order] for order in (np.roll(np.arange(m), 1), np.arange(m)[::-1])]
    for other in swapped:
        assert eum(other, eum_grid(m)) == pytest.approx(eum(gains, eum_grid(m)), rel=1e-12)


@given(tied_gains(least=2))
def test_eum_ignores_dominated_points_and_never_falls(gains: FloatArray) -> None:
    grid = eum_grid(gains.shape[1])
    assert eum(gains, grid) >= eum(gains[:-1], grid) - 1e-12
    front = gains[moocore.is_nondominated(gains, maximise=True)]
    assert eum(front, grid) == pytest.approx(eum(gains, grid))


def test_igd_plus_by_hand() -> None:
    assert igd_plus([[0, 0]], [[3, 4]]) == 5.0
    assert igd_plus([[4, 5]], [[3, 4]]) == 0.0
    assert igd_plus([[3, 0]], [[3, 4], [1, 0]]) == 2.0


def test_epsilon_by_hand() -> None:
    assert epsilon_additive([[1, 1]], [[2, 1], [1, 4]]) == 3.0
    assert epsilon_additive([[3, 5]], [[2, 1]]) == -1.0


@pytest.mark.parametrize("m", [1, 2, 3, 5])
def test_distances_agree_with_moocore_without_pymoo(m: int) -> None:
    random = np.random.default_rng(m)
    gains, reference = random.random((40, m)), random.random((30, m)) + 0.1
    assert igd_plus(gains, reference) == pytest.approx(
        moocore.igd_plus(gains, reference, maximise=True)
    )
    assert epsilon_additive(gains, reference) == pytest.approx(
        moocore.epsilon_additive(gains, reference, maximise=True)
    )


@given(tied_gains(least=1))
def test_a_front_is_at_no_distance_from_itself(gains: FloatArray) -> None:
    assert igd_plus(gains, gains) == 0.0
    assert epsilon_additive(gains, gains) == 0.0
    assert epsilon_additive(gains, gains + 2.5) == pytest.approx(2.5)


def test_sparsity_by_hand_and_why_it_is_not_trusted() -> None:
    assert sparsity([[0, 2], [1, 1], [3, 0]]) == 3.5
    assert sparsity([[7.0, 7.0]]) == 0.0
    assert sparsity([]) == 0.0
    doubled = np.repeat([[0.0, 2.0], [1.0, 1.0], [3.0, 0.0]], 2, axis=0)
    assert sparsity(doubled) == pytest.approx(7 / 5)


def test_cardinality_counts_distinct_front_points() -> None:
    assert cardinality([[1, 2], [2, 1], [1, 2], [0, 0]]) == 2
    assert cardinality([]) == 0
    assert cardinality(sphere(30, 3)) == 30


def test_crowding_by_hand() -> None:
    assert crowding_distance([[0, 4], [1, 2], [4, 0]]).tolist() == [np.inf, 2.0, np.inf]


def test_crowding_agrees_with_pymoo_where_nothing_ties() -> None:
    from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance

    gains = sphere(40, 2)
    # pymoo averages over the objectives
    np.testing.assert_allclose(crowding_distance(gains) / 2, calc_crowding_distance(-gains))


def test_crowding_without_spread_in_an_objective_is_not_nan() -> None:
    gains = [[0.0, 7.0, 4.0], [1.0, 7.0, 2.0], [4.0, 7.0, 0.0]]
    assert crowding_distance(gains).tolist() == [np.inf, 2.0, np.inf]
    assert crowding_distance(np.ones((4, 2))).tolist() == [0.0] * 4


@given(tied_gains(least=0))
def test_crowding_is_never_nan_and_scale_free(gains: FloatArray) -> None:
    distances = crowding_distance(gains)
    assert distances.shape == (len(gains),)
    assert not np.isnan(distances).any()
    np.testing.assert_allclose(crowding_distance(gains * 4 - 1), distances)


def test_crowding_of_at_most_two_points_is_infinite() -> None:
    assert crowding_distance([]).shape == (0,)
    assert np.isinf(crowding_distance([[1, 2], [2, 1]])).all()


def test_pitfall_1_non_finite_gains_are_refused() -> None:
    bad = [[1.0, np.nan]]
    for function in (cardinality, sparsity, crowding_distance):
        with raises("non-finite", "rows 0"):
            function(bad)
    for compare in (eum, igd_plus, epsilon_additive):
        with pytest.raises(NonFiniteError):
            compare(bad, [[1.0, 1.0]])
        with pytest.raises(NonFiniteError):
            compare([[1.0, 1.0]], bad)


def test_pitfall_7_comparing_with_nothing_is_refused() -> None:
    for compare in (eum, igd_plus, epsilon_additive):
        with raises("shape", "0 and 1"):
            compare([], [[1.0, 1.0]])
        with raises("shape", "1 and 0"):
            compare([[1.0, 1.0]], [])
        with raises("shape", "columns"):
            compare([[1.0, 1.0]], [[1.0, 1.0, 1.0]])


def test_pitfall_8_the_stand_in_for_r2_knows_any_number_of_objectives() -> None:
    # r2_exact takes two objectives only and is 0.0 when the ideal is not: never called
    for m in (1, 2, 3, 6):
        assert eum(np.full((1, m), 2.0), eum_grid(m)) == pytest.approx(2.0)


def test_coverage_by_hand_in_both_directions() -> None:
    one, two = [[2, 2]], [[1, 1], [2, 2], [3, 0]]
    assert coverage(one, two) == pytest.approx(2 / 3)
    assert coverage(two, one) == 1.0
    with pytest.raises(ShapeError):
        coverage(one, np.empty((0, 2)))


def test_coverage_agrees_with_moocore() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 6, (8, 3)), rng.integers(0, 6, (9, 3))
    kept = moocore.is_nondominated(np.vstack([first, second]), maximise=True, keep_weakly=False)
    # with only strict winners kept, each row of `second` that stays is not covered by `first`
    covered = coverage(first, second) * len(second)
    assert covered <= len(second) - kept[len(first) :].sum()
