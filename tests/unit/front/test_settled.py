"""Means that scores do not distinguish lie together: by hand, and invariances."""

from __future__ import annotations

import numpy as np
import pytest

from paretoflow.front.settled import settled_means


def looks(copies: int, seed: int, m: int = 2, noise: float = 1.0) -> np.ndarray:
    """Return looks at one policy."""
    return noise * np.random.default_rng(seed).normal(size=(copies, m, 48))


def test_what_is_far_apart_and_what_is_alone_stays() -> None:
    clouds = looks(3, 0) + 50 * np.arange(3)[:, None, None]
    np.testing.assert_allclose(settled_means(clouds, 3), clouds.mean(axis=2), rtol=1e-12)
    np.testing.assert_array_equal(settled_means(clouds[:1], 3), clouds[:1].mean(axis=2))
    np.testing.assert_array_equal(settled_means(clouds, 0), clouds.mean(axis=2))


@pytest.mark.parametrize("m", [1, 2, 3, 6])
def test_of_three_looks_each_goes_a_third_to_half_of_the_way_whatever_m(m: int) -> None:
    gone = []
    for seed in range(100):
        clouds = looks(3, seed, m)
        own = clouds.mean(axis=2)
        others = (own.sum(axis=0) - own) / 2
        moved, way = settled_means(clouds, 1) - own, others - own
        gone.append(float((moved * way).sum() / (way**2).sum()))
    assert 0.25 < np.mean(gone) < 0.5


def test_more_passes_bring_them_nearer() -> None:
    spreads = [
        np.mean([settled_means(looks(5, s), passes).std(axis=0).mean() for s in range(20)])
        for passes in range(4)
    ]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[2] < 0.5 * spreads[0]


def test_units_order_and_copies_change_nothing() -> None:
    clouds = np.concatenate([looks(4, 1), looks(3, 2) + 0.4])
    found = settled_means(clouds, 2)
    units = np.array([1e6, 1e-3])[:, None]
    np.testing.assert_allclose(settled_means(clouds * units, 2), found * units[:, 0], rtol=1e-6)
    np.testing.assert_allclose(settled_means(clouds[::-1], 2), found[::-1])
    np.testing.assert_allclose(settled_means(clouds[:, ::-1], 2), found[:, ::-1])
    twice = settled_means(np.concatenate([clouds, clouds]), 2)
    np.testing.assert_allclose(twice, np.concatenate([found, found]))


def test_prompts_that_agree_are_certain() -> None:
    clouds = np.repeat(np.array([[2.0, 1.0], [2.0, 1.1], [0.5, 0.5]])[:, :, None], 9, axis=2)
    np.testing.assert_array_equal(settled_means(clouds, 2), clouds.mean(axis=2))
