"""The units in which answers are weighed against each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.methods.offline_bench import candidates


def table(gains, standard):
    made = candidates(gains)
    mean, std = made.gains.mean(axis=(0, 1)), np.maximum(made.gains.std(axis=(0, 1)), 1e-8)
    return replace(made, mean=mean, std=std, standard=standard)


def test_units_by_hand():
    gains = [[[0.0], [2.0]], [[10.0], [14.0]]]
    assert table(gains, "prompt").unit == pytest.approx(np.sqrt(5))
    assert table(gains, "global").unit == pytest.approx(5.7227, abs=1e-4)
    assert table(gains, "none").unit.tolist() == [1.0]
    np.testing.assert_allclose(
        table(gains, "prompt").standardised[..., 0] * np.sqrt(5), [[-1, 1], [-2, 2]]
    )
    assert table(gains, "none").standardised.tolist() == gains


def test_fresh_answers_are_counted_from_their_prompt():
    made = table([[[0.0], [2.0]], [[10.0], [14.0]]], "prompt")
    fresh = made.in_standard(np.array([[12.0], [1.0], [14.0]]), np.array([1, 0, 1]))
    np.testing.assert_allclose(fresh[:, 0] * np.sqrt(5), [0.0, 0.0, 2.0])


def test_an_objective_that_differs_between_prompts_only_has_the_unit_of_all_answers():
    made = table([[[0.1], [0.1], [0.1]], [[0.7], [0.7], [0.7]]], "prompt")
    assert made.unit == pytest.approx(0.3)
    np.testing.assert_allclose(made.standardised, 0.0, atol=1e-12)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100), st.floats(-50, 50))
def test_scale_and_shifts_of_prompts_leave_the_prompts_unit_alone(seed, factor, shift):
    rng = np.random.default_rng(seed)
    gains = rng.normal(size=(4, 3, 2))
    moved = gains * (factor, 1.0) + shift * rng.normal(size=(4, 1, 2))
    np.testing.assert_allclose(
        table(gains, "prompt").standardised, table(moved, "prompt").standardised, atol=1e-6
    )


def test_over_all_pairs_of_a_prompt_every_objective_differs_alike():
    """So equal weights are equal: the root mean square of the differences is the same for each."""
    rng = np.random.default_rng(2)
    gains = rng.normal(size=(9, 4, 3)) * (1, 30, 0.2) + 5 * rng.normal(size=(9, 1, 3))
    scores = table(gains, "prompt").standardised
    first, second = np.triu_indices(4, k=1)
    sizes = np.sqrt(np.square(scores[:, first] - scores[:, second]).mean(axis=(0, 1)))
    np.testing.assert_allclose(sizes, np.sqrt(2), rtol=1e-12)
    apart = np.sqrt(
        np.square(
            table(gains, "global").standardised[:, first]
            - table(gains, "global").standardised[:, second]
        ).mean(axis=(0, 1))
    )
    assert apart.max() > 3 * apart.min()
