import numpy as np
import pytest

from paretoflow.core.errors import NonFiniteError, ShapeError
from paretoflow.front.scalarize import chebyshev_achievement, linear_utility
from paretoflow.front.simplex import even_simplex

CONCAVE = np.array([[0.0, 1.0], [0.4, 0.4], [1.0, 0.0]])


def test_by_hand() -> None:
    np.testing.assert_allclose(linear_utility([[3, 1], [0, 2]], [0.5, 0.5]), [2.0, 1.0])
    np.testing.assert_allclose(chebyshev_achievement([[3, 1]], [0.5, 0.5], [0, 0]), [0.6])


def test_only_chebyshev_reaches_a_concave_part() -> None:
    grid = even_simplex(2, 101)
    linear = {int(linear_utility(CONCAVE, w).argmax()) for w in grid}
    chebyshev = {int(chebyshev_achievement(CONCAVE, w, [1, 1]).argmax()) for w in grid}
    assert linear == {0, 2}
    assert chebyshev == {0, 1, 2}


def test_the_sum_breaks_ties_in_favour_of_the_dominating_point() -> None:
    tied = [[1.0, 1.0], [1.0, 2.0]]
    plain = chebyshev_achievement(tied, [0.5, 0.5], [0, 0], rho=0.0)
    augmented = chebyshev_achievement(tied, [0.5, 0.5], [0, 0])
    assert plain[0] == plain[1]
    assert augmented[1] > augmented[0]


def test_raising_any_gain_never_lowers_either() -> None:
    random = np.random.default_rng(0)
    gains, more = random.normal(size=(50, 3)), random.random((50, 3))
    for weights in even_simplex(3, 10):
        assert (linear_utility(gains + more, weights) >= linear_utility(gains, weights)).all()
        before = chebyshev_achievement(gains, weights, np.ones(3))
        assert (chebyshev_achievement(gains + more, weights, np.ones(3)) >= before).all()


def test_empty_and_misfits() -> None:
    assert linear_utility([], [0.5, 0.5]).shape == (0,)
    assert chebyshev_achievement([], [0.5, 0.5], [0, 0]).shape == (0,)
    with pytest.raises(ShapeError):
        linear_utility(CONCAVE, [1.0])
    with pytest.raises(ShapeError, match="aspiration"):
        chebyshev_achievement(CONCAVE, [0.5, 0.5], [1.0])
    with pytest.raises(NonFiniteError):
        linear_utility([[np.nan, 1.0]], [0.5, 0.5])
