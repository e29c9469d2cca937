"""Sampled hypervolumes agree with exact ones, front by front."""

from __future__ import annotations

import numpy as np
import pytest

from paretoflow.front.bootstrap import drawn_hypervolumes
from paretoflow.front.hypervolume import hypervolume
from paretoflow.front.sampled import sampled_hypervolumes


def redrawn(m: int, k: int, spread: float, draws: int = 100, seed: int = 0):
    """Return fronts that scatter around an observed one, and that one."""
    rng = np.random.default_rng(seed)
    observed = rng.dirichlet(np.ones(m), size=k) ** 0.5
    return observed + spread * rng.normal(size=(draws, k, m)), observed


@pytest.mark.parametrize(
    ("m", "k", "spread"), [(1, 3, 0.1), (2, 9, 0.02), (3, 20, 0.05), (5, 15, 0.04), (7, 10, 0.01)]
)
def test_each_front_is_near_its_exact_volume(m, k, spread):
    fronts, observed = redrawn(m, k, spread)
    ref = np.full(m, -0.1)
    exact = np.array([hypervolume(front, ref) for front in fronts])
    sampled = sampled_hypervolumes(fronts, observed, ref, seed=1)
    # own error well below what the fronts differ by: else an interval would be too wide
    assert np.std(sampled - exact) < 0.25 * np.std(exact)
    assert abs(np.mean(sampled - exact)) < 0.1 * np.std(exact)


def test_one_point_by_hand():
    # from (1, 1, 1, 1, 1) to (2, 1, 1, 1, 1) and (1, 1, 1, 1, 3): volumes 1, 2 and 3
    fronts = np.array([[[2.0, 1, 1, 1, 1]], [[1, 1, 1, 1, 3.0]], [[1.0] * 5]])
    volumes = sampled_hypervolumes(fronts, np.ones((1, 5)), np.zeros(5), seed=0)
    assert volumes == pytest.approx([2, 3, 1], rel=0.02)


def test_fronts_that_equal_the_observed_one_have_its_exact_volume():
    _, observed = redrawn(6, 12, 0.0)
    fronts = np.repeat(observed[None], 3, axis=0)
    ref = np.zeros(6)
    assert sampled_hypervolumes(fronts, observed, ref, seed=0).tolist() == pytest.approx(
        [hypervolume(observed, ref)] * 3, rel=1e-12
    )


def test_fronts_beyond_no_reference_are_worth_nothing():
    fronts, observed = redrawn(5, 4, 0.01)
    assert sampled_hypervolumes(fronts, observed, np.full(5, 9.0), seed=0).tolist() == [0.0] * 100


def test_some_fronts_beyond_the_reference_and_the_observed_not():
    fronts = np.array([[[1.0] * 5], [[-1.0] * 5]])
    volumes = sampled_hypervolumes(fronts, np.full((1, 5), -1.0), np.zeros(5), seed=0)
    assert volumes == pytest.approx([1, 0], rel=0.02)


def test_permuting_objectives_changes_the_volumes_by_their_own_error_alone():
    fronts, observed = redrawn(5, 15, 0.05)
    order, ref = [3, 0, 4, 1, 2], np.zeros(5)
    one = sampled_hypervolumes(fronts, observed, ref, seed=0)
    other = sampled_hypervolumes(fronts[..., order], observed[:, order], ref, seed=0)
    assert np.std(one - other) < 0.25 * np.std(one)


@pytest.mark.parametrize("m", [5, 8])
def test_prompts_that_agree_leave_no_doubt(m):
    _, observed = redrawn(m, 10, 0.0)
    clouds = np.repeat(observed[:, :, None], 12, axis=2)
    volumes = drawn_hypervolumes(clouds, np.zeros(m))
    assert volumes == pytest.approx(np.full(1000, hypervolume(observed, np.zeros(m))), rel=1e-9)
