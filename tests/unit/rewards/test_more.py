from __future__ import annotations

import numpy as np
import pytest

from paretoflow.rewards.more import MoreWeights


@pytest.mark.parametrize("scale", [1.0, 1e-4])
def test_by_hand_and_free_of_scale(scale: float) -> None:
    gradients = scale * np.array([[1.0, 0.0], [0.6, 0.8], [0.6, -0.8]])
    assert MoreWeights(1.0).update(gradients) == pytest.approx([0, 0.5, 0.5], abs=1e-9)
    gradients[1] *= 7
    assert MoreWeights(1.0).update(gradients) == pytest.approx([0, 0.5, 0.5], abs=1e-9)


def test_two_objectives_weigh_alike_unless_their_gradients_keep_their_lengths() -> None:
    gradients = np.array([[2.0, 0.0], [0.0, 1.0]])
    assert MoreWeights(0.99).update(gradients) == pytest.approx([0.5, 0.5])
    assert MoreWeights(1.0, normalise=False).update(gradients) == pytest.approx([0.2, 0.8])


def test_gradients_run() -> None:
    weights = MoreWeights(0.75, normalise=False)
    weights.update(np.array([[8.0, 0.0], [0.0, 4.0]]))  # means (6, 0) and (0, 3)
    found = weights.update(np.array([[0.0, 0.0], [0.0, 3.0]]))  # (1.5, 0) and (0, 3)
    assert found == pytest.approx([0.8, 0.2])


def test_no_gradient_has_no_direction() -> None:
    assert MoreWeights(1.0).update(np.array([[1.0], [0.0]])) == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("seed", range(3))
def test_no_mixture_is_shorter(seed: int) -> None:
    gradients = np.random.default_rng(seed).normal(size=(3, 5)) + 0.5
    directions = gradients / np.linalg.norm(gradients, axis=1, keepdims=True)
    grid = np.linspace(0, 1, 101)
    mixtures = np.array([(a, b, 1 - a - b) for a in grid for b in grid if a + b <= 1 + 1e-12])
    best = np.linalg.norm(mixtures @ directions, axis=1).min()
    found = MoreWeights(1.0).update(gradients)
    assert found.sum() == pytest.approx(1.0)
    assert np.linalg.norm(found @ directions) <= best + 1e-9
    order = [2, 0, 1]
    np.testing.assert_allclose(MoreWeights(1.0).update(gradients[order]), found[order], atol=1e-9)
