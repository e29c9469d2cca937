import numpy as np
import pytest
from hypothesis import given

from paretoflow.core.errors import NonFiniteError, ShapeError
from paretoflow.core.values import FloatArray
from paretoflow.front.archive import Archive
from paretoflow.front.dominance import nondominated
from tests.faults import raises
from tests.unit.front.shapes import sphere, tied_gains


@given(tied_gains(least=1, most=20))
def test_equals_nondominated_after_every_row(gains: FloatArray) -> None:
    archive = Archive(gains.shape[1])
    for key, row in enumerate(gains):
        entered = archive.add(row, key)
        expected = np.flatnonzero(nondominated(gains[: key + 1]))
        assert entered == (key in expected)
        np.testing.assert_array_equal(archive.indices, expected)
        np.testing.assert_array_equal(archive.gains, gains[expected])
        assert len(archive) == len(expected)


@pytest.mark.parametrize("m", [1, 2, 3, 5])
def test_equals_nondominated_on_many_rows(m: int) -> None:
    gains = np.random.default_rng(m).random((2000, m)).round(2)
    archive = Archive(m)
    archive.extend(gains)
    np.testing.assert_array_equal(archive.indices, np.flatnonzero(nondominated(gains)))


def test_grows_past_its_first_allocation() -> None:
    gains = sphere(500, 3)
    archive = Archive(3)
    archive.extend(gains)
    np.testing.assert_array_equal(archive.indices, np.arange(500))
    np.testing.assert_array_equal(archive.gains, gains)


def test_pitfall_9_an_equal_row_does_not_enter() -> None:
    archive = Archive(2)
    assert archive.add([1.0, 2.0], 7)
    assert not archive.add([1.0, 2.0], 8)
    assert archive.indices.tolist() == [7]


def test_a_dominating_row_evicts_all_that_it_dominates() -> None:
    archive = Archive(2)
    archive.extend([[1, 3], [3, 1], [0, 9]])
    assert archive.add([3, 3], 3)
    assert archive.indices.tolist() == [2, 3]


def test_what_it_hands_out_is_a_copy() -> None:
    archive = Archive(2)
    archive.add([1.0, 2.0], 0)
    archive.gains[:] = 9.0
    archive.indices[:] = 9
    np.testing.assert_array_equal(archive.gains, [[1.0, 2.0]])
    assert archive.indices.tolist() == [0]


def test_pitfall_1_a_bad_row_is_refused_and_changes_nothing() -> None:
    archive = Archive(2)
    archive.add([1.0, 2.0], 0)
    for bad in ([np.nan, 5.0], [np.inf, 5.0]):
        with pytest.raises(NonFiniteError):
            archive.add(bad, 1)
    with raises("non-finite", "rows 1"):
        archive.extend([[5.0, 5.0], [np.nan, 0.0]], 1)
    with pytest.raises(ShapeError):
        archive.add([1.0, 2.0, 3.0], 1)
    assert archive.indices.tolist() == [0]


def test_pitfall_7_empty_has_the_right_shapes() -> None:
    archive = Archive(3)
    archive.extend([])
    assert archive.gains.shape == (0, 3)
    assert archive.indices.shape == (0,)
    assert len(archive) == 0
