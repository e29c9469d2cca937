import moocore
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretoflow.core.errors import NonFiniteError, ShapeError
from paretoflow.core.values import FloatArray
from paretoflow.front.dominance import dominates, nondominated, ranks
from tests.faults import raises
from tests.unit.front.shapes import sphere, tied_gains


def by_definition(gains: FloatArray) -> list[bool]:
    return [
        not any(dominates(other, row) for other in gains)
        and not any((earlier == row).all() for earlier in gains[:index])
        for index, row in enumerate(gains)
    ]


def test_by_hand() -> None:
    gains = [[1, 2], [2, 1], [1, 2], [0, 0], [1, 1]]
    assert nondominated(gains).tolist() == [True, True, False, False, False]
    assert ranks(gains).tolist() == [0, 0, 0, 2, 1]


def test_dominates_needs_one_strict_objective() -> None:
    assert dominates([1, 2], [1, 1])
    assert not dominates([1, 1], [1, 1])
    assert not dominates([1, 2], [2, 1])
    with pytest.raises(ShapeError):
        dominates([1, 2], [1, 2, 3])
    with pytest.raises(NonFiniteError):
        dominates([1, np.nan], [1, 2])


@given(tied_gains())
def test_mask_is_the_definition(gains: FloatArray) -> None:
    assert nondominated(gains).tolist() == by_definition(gains)


@given(tied_gains(least=1), st.randoms(use_true_random=False))
def test_order_of_points_and_objectives_does_not_matter(gains: FloatArray, random: object) -> None:
    rows = list(range(len(gains)))
    columns = list(range(gains.shape[1]))
    random.shuffle(rows)  # type: ignore[attr-defined]
    random.shuffle(columns)  # type: ignore[attr-defined]
    moved = gains[rows][:, columns]
    np.testing.assert_array_equal(ranks(moved), ranks(gains)[rows])
    front, other = gains[nondominated(gains)][:, columns], moved[nondominated(moved)]
    assert sorted(front.tolist()) == sorted(other.tolist())


@given(tied_gains(least=1))
def test_ranks_peel_one_front_after_another(gains: FloatArray) -> None:
    got = ranks(gains)
    left = np.arange(len(gains))
    number = 0
    while left.size:
        peeled = [not any(dominates(o, gains[i]) for o in gains[left]) for i in left]
        np.testing.assert_array_equal(got[left] == number, peeled)
        left, number = left[~np.array(peeled)], number + 1


@pytest.mark.parametrize("m", [1, 2, 3, 4, 6])
def test_agrees_with_moocore_without_pymoo(m: int) -> None:
    gains = np.random.default_rng(m).random((300, m)).round(1)
    np.testing.assert_array_equal(
        nondominated(gains), moocore.is_nondominated(gains, maximise=True)
    )
    np.testing.assert_array_equal(ranks(gains), moocore.pareto_rank(gains, maximise=True))


def test_pitfall_1_a_nan_row_is_refused_and_named_instead_of_evicting_the_front() -> None:
    gains = np.array([[1, 2], [2, 1], [np.nan, 0], [np.nan, np.nan], [5, 5]])
    for function in (nondominated, ranks):
        with raises("non-finite", "rows 2", "3"):
            function(gains)


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_pitfall_2_infinity_is_refused_whichever_sign(bad: float) -> None:
    with raises("non-finite", "rows 1"):
        nondominated([[1.0, 2.0], [bad, 0.0]])


def test_many_bad_rows_are_counted_not_listed() -> None:
    with raises("non-finite", "92", "more"):
        nondominated(np.full((100, 2), np.nan))


def test_pitfall_4_larger_is_better_without_saying_so() -> None:
    assert nondominated([[0.0, 0.0], [1.0, 1.0]]).tolist() == [False, True]


def test_pitfall_5_and_9_of_exact_ties_the_first_stands_for_all() -> None:
    ties = np.repeat([[0.5, 0.25], [0.25, 0.5]], 3, axis=0)
    assert np.flatnonzero(nondominated(ties)).tolist() == [0, 3]
    assert ranks(ties).tolist() == [0] * 6
    assert nondominated([[0.0, 1.0], [-0.0, 1.0]]).tolist() == [True, False]


def test_pitfall_7_empty_lists_one_objective_and_read_only_inputs() -> None:
    assert nondominated(np.empty((0, 3))).shape == (0,)
    assert nondominated([]).shape == (0,)
    assert ranks([]).shape == (0,)
    assert nondominated([[1], [3], [3], [2]]).tolist() == [False, True, False, False]
    assert ranks([[1], [3], [3], [2]]).tolist() == [2, 0, 0, 1]
    gains = sphere(20, 3).astype(np.float32)
    gains.setflags(write=False)
    kept = gains.copy()
    assert nondominated(gains).all()
    np.testing.assert_array_equal(gains, kept)


def test_a_vector_is_refused() -> None:
    with raises("shape", "(n, m)"):
        nondominated([1.0, 2.0])
