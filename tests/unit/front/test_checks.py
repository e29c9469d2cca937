import numpy as np

from paretoflow.front.checks import gains_array, ref_and_gains, vector
from tests.faults import raises


def test_nothing_counts_as_no_rows() -> None:
    assert gains_array([]).shape == (0, 0)
    assert gains_array([], m=3).shape == (0, 3)
    assert gains_array(np.empty((0, 2))).shape == (0, 2)


def test_integers_and_lists_become_float64() -> None:
    array = gains_array([[1, 2], [3, 4]])
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array, [[1.0, 2.0], [3.0, 4.0]])


def test_errors_say_what_was_got_and_what_to_do() -> None:
    with raises("shape", "(2,)"):
        gains_array([1.0, 2.0], name="weights")
    with raises("shape", "3 columns", "2)"):
        gains_array([[1.0, 2.0]], m=3)
    with raises("non-finite", "rows 0", "2"):
        gains_array([[np.nan], [1.0], [np.inf]])
    with raises("shape", "shape"):
        vector(1.0, 2, "ref")
    with raises("non-finite", "1.0", "finite"):
        vector([1.0, np.nan], 2, "ref")


def test_the_reference_tells_m_when_there_are_no_points() -> None:
    gains, ref = ref_and_gains([], [0.0, 0.0, 0.0])
    assert gains.shape == (0, 3)
    assert ref.shape == (3,)
