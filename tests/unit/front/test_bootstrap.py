import numpy as np
import pytest

from paretoflow.front.bootstrap import hypervolume_interval
from paretoflow.front.hypervolume import hypervolume
from tests.faults import raises


def test_constant_scores_leave_no_doubt() -> None:
    gains = np.broadcast_to(np.array([[2.0, 1.0], [1.0, 2.0]])[:, :, None], (2, 2, 40))
    low, high = hypervolume_interval(gains, [0, 0], draws=50)
    assert low == pytest.approx(3.0)
    assert high == pytest.approx(3.0)


def test_one_objective_is_the_bootstrap_of_a_mean() -> None:
    scores = np.random.default_rng(0).normal(5.0, 1.0, size=400)
    low, high = hypervolume_interval(scores[None, None, :], [0.0], draws=4000)
    width = 1.96 * scores.std() / np.sqrt(400)
    assert low == pytest.approx(scores.mean() - width, abs=0.1 * width)
    assert high == pytest.approx(scores.mean() + width, abs=0.1 * width)


def test_prompts_are_resampled_jointly() -> None:
    noise = np.random.default_rng(0).normal(size=200)
    # what one objective gains the other loses: only joint draws keep the sum of the means at 4
    opposed = np.stack([2 + noise, 2 - noise])[None]
    low, high = hypervolume_interval(opposed, [0, 0])
    assert high <= 4.0
    assert high - low < 0.1
    together = np.stack([2 + noise, 2 + noise])[None]
    wide_low, wide_high = hypervolume_interval(together, [0, 0])
    assert wide_high - wide_low > 5 * (high - low)


def test_holds_the_hypervolume_and_narrows_with_prompts_and_level() -> None:
    gains = np.random.default_rng(1).random((8, 3, 600))
    ref = [0.2, 0.2, 0.2]
    low, high = hypervolume_interval(gains, ref)
    few_low, few_high = hypervolume_interval(gains[:, :, :60], ref)
    tight_low, tight_high = hypervolume_interval(gains, ref, level=0.5)
    assert low <= tight_low < tight_high <= high
    assert high - low < few_high - few_low
    # a maximum over noisy means: resampling adds to it, never enough to leave its own interval here
    assert hypervolume(gains.mean(axis=2), ref) < high


def test_same_seed_same_interval() -> None:
    gains = np.random.default_rng(2).random((3, 2, 50))
    first = hypervolume_interval(gains, [0, 0], draws=100, seed=4)
    assert first == hypervolume_interval(gains, [0, 0], draws=100, seed=4)
    assert first != hypervolume_interval(gains, [0, 0], draws=100, seed=5)


def test_empty_front_and_points_behind_the_reference_are_worth_nothing() -> None:
    assert hypervolume_interval(np.empty((0, 2, 10)), [0, 0]) == (0.0, 0.0)
    assert hypervolume_interval(np.zeros((2, 2, 10)), [1, 1], draws=10) == (0.0, 0.0)


def test_non_finite_scores_are_refused_and_the_point_named() -> None:
    gains = np.ones((3, 2, 5))
    gains[1, 0, 2] = np.nan
    with raises("non-finite", "[1]"):
        hypervolume_interval(gains, [0, 0])


def test_misfits_are_refused() -> None:
    gains = np.ones((3, 2, 5))
    with raises("shape", "(2, 5)"):
        hypervolume_interval(gains[0], [0, 0])
    with raises("shape", "(3, 2, 0)"):
        hypervolume_interval(gains[:, :, :0], [0, 0])
    with raises("shape", "reference"):
        hypervolume_interval(gains, [0, 0, 0])
    with raises("shape", "draws"):
        hypervolume_interval(gains, [0, 0], draws=0)
    with raises("shape", "level"):
        hypervolume_interval(gains, [0, 0], level=1.0)
