from itertools import combinations

import moocore
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretoflow.core.values import FloatArray
from paretoflow.front.hypervolume import (
    contributions,
    count_beyond_ref,
    hypervolume,
    improvement,
)
from tests.faults import raises
from tests.unit.front.shapes import sphere, tied_gains

CORNER = np.array([[2.0, 1.0], [1.0, 2.0]])


def inclusion_exclusion(gains: FloatArray, ref: FloatArray) -> float:
    """Return the volume of a union of boxes as the alternating sum over all intersections."""
    total = 0.0
    for size in range(1, len(gains) + 1):
        for chosen in combinations(gains, size):
            total -= (-1) ** size * float(np.prod(np.maximum(np.min(chosen, axis=0) - ref, 0)))
    return total


def test_by_hand() -> None:
    assert hypervolume(CORNER, [0, 0]) == 3.0
    assert hypervolume([[2, 3, 4]], [1, 1, 1]) == 6.0
    assert hypervolume([[-1.0, -2.0]], [-3.0, -4.0]) == 4.0


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_closed_form_of_a_staircase(steps: int) -> None:
    stairs = np.array([[i, steps + 1 - i] for i in range(1, steps + 1)], dtype=float)
    assert hypervolume(stairs, [0, 0]) == pytest.approx(steps * (steps + 1) / 2)


@given(tied_gains(least=1, most=7))
def test_brute_force_by_inclusion_exclusion(gains: FloatArray) -> None:
    ref = np.ones(gains.shape[1])
    assert hypervolume(gains, ref) == pytest.approx(inclusion_exclusion(gains, ref))


def test_brute_force_by_monte_carlo() -> None:
    gains = sphere(15, 3)
    draws = np.random.default_rng(1).random((100_000, 3))
    inside = np.zeros(len(draws), dtype=bool)
    for row in gains:
        inside |= (draws <= row).all(axis=1)
    # four standard errors of a share over 100,000 draws are below 0.0064
    assert hypervolume(gains, [0, 0, 0]) == pytest.approx(inside.mean(), abs=0.0064)


@pytest.mark.parametrize(("n", "m"), [(80, 2), (80, 3), (60, 4), (20, 6)])
def test_agrees_with_moocore_without_pymoo(n: int, m: int) -> None:
    gains = np.random.default_rng(m).random((n, m))
    ref = np.full(m, 0.1)
    assert hypervolume(gains, ref) == pytest.approx(
        moocore.hypervolume(gains, ref=ref, maximise=True)
    )
    np.testing.assert_allclose(
        contributions(gains, ref),
        moocore.hv_contributions(gains, ref=ref, maximise=True),
        atol=1e-12,
    )


@given(tied_gains(least=1), st.randoms(use_true_random=False))
def test_order_of_points_and_objectives_does_not_matter(gains: FloatArray, random: object) -> None:
    rows, columns = list(range(len(gains))), list(range(gains.shape[1]))
    random.shuffle(rows)  # type: ignore[attr-defined]
    random.shuffle(columns)  # type: ignore[attr-defined]
    ref = np.arange(gains.shape[1]) / 2
    moved = gains[rows][:, columns]
    assert hypervolume(moved, ref[columns]) == pytest.approx(hypervolume(gains, ref))
    np.testing.assert_allclose(
        contributions(moved, ref[columns]), contributions(gains, ref)[rows], atol=1e-9
    )


@given(tied_gains(least=1))
def test_one_more_point_never_shrinks_it_and_a_copy_never_grows_it(gains: FloatArray) -> None:
    ref = np.zeros(gains.shape[1])
    whole = hypervolume(gains, ref)
    assert hypervolume(gains[:-1], ref) <= whole + 1e-9
    assert hypervolume(np.vstack([gains, gains]), ref) == pytest.approx(whole)


@given(tied_gains(least=1), st.floats(-5, 5), st.floats(0.5, 4))
def test_shifting_leaves_it_and_scaling_multiplies_it(
    gains: FloatArray, shift: float, scale: float
) -> None:
    m = gains.shape[1]
    whole = hypervolume(gains, np.zeros(m))
    moved = hypervolume(gains * scale + shift, np.full(m, shift))
    assert moved == pytest.approx(whole * scale**m, abs=1e-6)


@given(tied_gains(least=1))
def test_a_contribution_is_what_the_point_adds_to_the_front_without_it(gains: FloatArray) -> None:
    ref = np.zeros(gains.shape[1])
    front = gains[moocore.is_nondominated(gains, maximise=True, keep_weakly=True)]
    shares = contributions(front, ref)
    whole = hypervolume(front, ref)
    for index, share in enumerate(shares):
        rest = np.delete(front, index, axis=0)
        assert share == pytest.approx(whole - hypervolume(rest, ref), abs=1e-9)


@given(tied_gains(least=2))
def test_improvement_is_a_difference_of_volumes(gains: FloatArray) -> None:
    ref = np.full(gains.shape[1], 0.5)
    candidates, present = gains[: len(gains) // 2], gains[len(gains) // 2 :]
    expected = [
        hypervolume(np.vstack([present, row]), ref) - hypervolume(present, ref)
        for row in candidates
    ]
    got = improvement(candidates, present, ref)
    np.testing.assert_allclose(got, expected, atol=1e-9)
    assert (got >= 0).all()


def test_contributions_and_improvement_by_hand() -> None:
    assert contributions(CORNER, [0, 0]).tolist() == [1.0, 1.0]
    assert improvement([[2, 2], [1, 1], [0, 9]], CORNER, [0, 0]).tolist() == [1.0, 0.0, 0.0]
    assert improvement([[2, 2]], [], [0, 0]).tolist() == [4.0]
    assert improvement([], CORNER, [0, 0]).shape == (0,)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_pitfalls_1_and_2_non_finite_rows_are_refused_not_ignored(bad: float) -> None:
    gains = [[1.0, 2.0], [bad, 5.0]]
    for function in (hypervolume, contributions, count_beyond_ref):
        with raises("non-finite", "rows 1"):
            function(gains, [0, 0])
    with raises("non-finite", "candidates"):
        improvement(gains, CORNER, [0, 0])
    with raises("non-finite", "reference"):
        hypervolume(CORNER, [0.0, bad])


def test_pitfall_3_points_at_or_behind_the_reference_add_nothing_and_are_counted() -> None:
    on_it = [[1.0, 5.0]]
    behind = [[0.5, 9.0], [-1.0, -1.0]]
    for gains in (on_it, behind):
        assert hypervolume(gains, [1, 1]) == 0.0
        assert count_beyond_ref(gains, [1, 1]) == 0
        assert not contributions(gains, [1, 1]).any()
    mixed = [*on_it, *behind, [3.0, 2.0]]
    assert hypervolume(mixed, [1, 1]) == 2.0
    assert count_beyond_ref(mixed, [1, 1]) == 1
    assert contributions(mixed, [1, 1]).tolist() == [0, 0, 0, 2]


def test_pitfall_4_gains_and_reference_are_both_oriented() -> None:
    assert hypervolume([[3.0, 3.0]], [1.0, 1.0]) == 4.0
    assert hypervolume([[-1.0, -1.0]], [-3.0, -3.0]) == 4.0


def test_pitfall_5_copies_share_nothing_and_dominated_points_hide_nothing() -> None:
    gains = [[2.0, 1.0], [1.0, 2.0], [1.0, 2.0], [1.5, 0.9]]
    assert contributions(gains, [0, 0]).tolist() == [1.0, 0.0, 0.0, 0.0]
    assert contributions([[2.0, 2.0], [1.0, 1.0]], [0, 0]).tolist() == [4.0, 0.0]


def test_pitfall_6_nothing_is_normalised() -> None:
    assert hypervolume([[200.0, 1.0], [100.0, 2.0]], [0, 0]) == pytest.approx(300.0)


def test_pitfall_7_empty_one_objective_and_reference_of_another_length() -> None:
    assert hypervolume([], [0, 0]) == 0.0
    assert hypervolume(np.empty((0, 2)), [0, 0]) == 0.0
    assert contributions([], [0, 0]).shape == (0,)
    assert hypervolume([[3], [5]], [1]) == 4.0
    assert contributions([[3], [5]], [1]).tolist() == [0.0, 4.0]
    for ref in ([0], [0, 0, 0], 0.0, []):
        for function in (hypervolume, contributions, count_beyond_ref):
            with raises("shape", "reference"):
                function(CORNER, ref)
    with raises("shape", "reference"):
        hypervolume(np.empty((0, 3)), [0, 0])
    with raises("shape", "reference"):
        hypervolume([], [])
    with raises("shape", "candidates"):
        improvement([[1, 2, 3]], CORNER, [0, 0])


def test_pitfall_7_lists_float32_and_read_only_arrays_are_taken_and_kept() -> None:
    frozen = CORNER.astype(np.float32)
    frozen.setflags(write=False)
    assert hypervolume(frozen, np.zeros(2, dtype=np.int64)) == 3.0
    assert contributions(frozen.tolist(), [0, 0]).tolist() == [1.0, 1.0]
    np.testing.assert_array_equal(frozen, CORNER)


def test_contributions_stay_fast_where_differences_do_not() -> None:
    gains = sphere(60, 6)
    whole = hypervolume(gains, np.zeros(6))
    shares = contributions(gains, np.zeros(6))
    rest = hypervolume(np.delete(gains, 5, axis=0), np.zeros(6))
    assert shares[5] == pytest.approx(whole - rest, abs=1e-12)
