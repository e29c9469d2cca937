import subprocess
import sys

import numpy as np
import pytest

from paretoflow.core.values import Direction
from paretoflow.front.orient import gains_of, ideal_gains, nadir_gains, ref_gains, scores_of
from tests.faults import raises
from tests.unit.front.shapes import problem_of

MIXED = problem_of(Direction.MAXIMIZE, Direction.MINIMIZE)


def test_only_the_minimised_score_changes_sign() -> None:
    np.testing.assert_array_equal(gains_of([[1.0, 2.0], [-3.0, -4.0]], MIXED), [[1, -2], [-3, 4]])
    np.testing.assert_array_equal(gains_of([1.0, 2.0], MIXED), [1.0, -2.0])


def test_back_and_forth_gives_the_same_scores() -> None:
    scores = np.random.default_rng(0).normal(size=(20, 2))
    np.testing.assert_array_equal(scores_of(gains_of(scores, MIXED), MIXED), scores)


def test_no_minus_zero_appears() -> None:
    assert not np.signbit(gains_of([0.0, 0.0], MIXED)).any()


def test_reference_ideal_and_nadir_follow_the_direction() -> None:
    np.testing.assert_array_equal(ref_gains(MIXED), [0.5, -1.5])
    np.testing.assert_array_equal(ideal_gains(MIXED), [10.0, -1.0])
    np.testing.assert_array_equal(nadir_gains(MIXED), [0.0, -11.0])
    assert (ideal_gains(MIXED) > nadir_gains(MIXED)).all()


def test_better_scores_are_larger_gains() -> None:
    better, worse = gains_of([[5.0, 2.0], [4.0, 3.0]], MIXED)
    assert (better > worse).all()


def test_empty_and_infinite_scores_pass_through() -> None:
    assert gains_of(np.empty((0, 2)), MIXED).shape == (0, 2)
    np.testing.assert_array_equal(gains_of([np.inf, np.inf], MIXED), [np.inf, -np.inf])


@pytest.mark.parametrize("scores", [1.0, [1.0], [1.0, 2.0, 3.0], [[1.0]], np.zeros((1, 1, 2))])
def test_another_number_of_objectives_is_refused(scores: object) -> None:
    with raises("shape", "shape"):
        gains_of(scores, MIXED)  # type: ignore[arg-type]


def test_inputs_are_not_mutated() -> None:
    scores = np.ones((2, 2))
    scores.setflags(write=False)
    gains_of(scores, MIXED)
    assert (scores == 1).all()


def test_light_modules_load_no_pymoo() -> None:
    program = (
        "import sys; import paretoflow.front.simplex, paretoflow.front.orient, "
        "paretoflow.front.archive, paretoflow.front.hypervolume, paretoflow.front.indicators; "
        "sys.exit(any(name.split('.')[0] in ('pymoo', 'moocore') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
