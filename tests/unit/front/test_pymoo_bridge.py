import numpy as np

from paretoflow.front.pymoo_bridge import (
    pymoo_front,
    pymoo_hypervolume,
    pymoo_igd_plus,
    pymoo_ranks,
)

GAINS = np.array([[2.0, 1.0], [1.0, 2.0], [1.0, 1.0], [2.0, 1.0]])


def test_pitfall_4_pymoo_sees_what_it_minimises() -> None:
    assert pymoo_hypervolume(GAINS, np.zeros(2)) == 3.0
    assert pymoo_ranks(GAINS).tolist() == [0, 0, 1, 0]
    assert pymoo_front(GAINS).tolist() == [0, 1, 3]
    assert pymoo_igd_plus(np.zeros((1, 2)), np.array([[3.0, 4.0]])) == 5.0
    assert pymoo_igd_plus(np.array([[3.0, 4.0]]), np.zeros((1, 2))) == 0.0


def test_inputs_are_not_mutated() -> None:
    kept, ref = GAINS.copy(), np.zeros(2)
    pymoo_hypervolume(GAINS, ref)
    pymoo_igd_plus(GAINS, GAINS)
    np.testing.assert_array_equal(GAINS, kept)
    assert not ref.any()
