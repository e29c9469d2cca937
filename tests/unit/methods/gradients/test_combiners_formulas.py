"""Gradient combiners against cases worked by hand and against independent solvers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize, nnls

from paretoflow.methods.gradients.combiners.cagrad import cagrad, conflict_mix
from paretoflow.methods.gradients.combiners.mgda import least_norm, mgda
from paretoflow.methods.gradients.combiners.raco import raco


def problem(seed: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Return gradients, in some cases dependent, shape (m, d), and weights, shape (m,)."""
    rng = np.random.default_rng((seed, m))
    gradients = rng.normal(size=(m, int(rng.integers(2, 7)))) * 10 ** rng.uniform(-1, 1, (m, 1))
    return gradients, rng.dirichlet(np.ones(m))


CASES = [(seed, m) for m in (2, 3, 4, 6) for seed in range(8)]


def mix_value(gram: np.ndarray, weights: np.ndarray, c: float, mix: np.ndarray) -> float:
    radius = c * np.sqrt(weights @ gram @ weights)
    return float(weights @ gram @ mix + radius * np.sqrt(max(mix @ gram @ mix, 0.0)))


def test_racos_reference_value():
    gradients, weights = np.array([[1.0, -4.0], [-1.0, 1.0]]), np.array([0.2, 0.8])
    gram = gradients @ gradients.T
    np.testing.assert_allclose(conflict_mix(gram, weights, 0.5), [0.3561, 0.6439], atol=5e-5)
    found = raco(gram, weights, c=0.5)
    np.testing.assert_allclose(found @ gradients, [-0.8830, -0.0996], atol=5e-5)


def test_cagrads_hand_case():
    found = cagrad(np.eye(2), np.array([0.4, 0.6]), c=0.5)
    np.testing.assert_allclose(found, (1 + np.sqrt(0.22)) / 2)
    mix = conflict_mix(np.eye(2), np.array([0.4, 0.6]), 0.5)
    np.testing.assert_allclose(mix, [0.713, 0.287], atol=5e-4)


def test_mgdas_hand_case():
    gram, weights = np.diag([4.0, 1.0]), np.array([2 / 3, 1 / 3])
    np.testing.assert_allclose(mgda(gram, weights, weighted=False), [0.2, 0.8])
    np.testing.assert_allclose(mgda(gram, weights, weighted=True), [1 / 3, 2 / 3])


def test_the_mix_of_two_is_the_closed_form():
    # h(l) = b2 + d l + s sqrt(q2 l^2 + q1 l + q0): least at 0, 1 or a root of its derivative
    for seed in range(50):
        gradients, weights = problem(seed, 2)
        gram, c = gradients @ gradients.T, 0.7
        b, s = gram @ weights, c * np.sqrt(weights @ gram @ weights)
        d, q0 = b[0] - b[1], gram[1, 1]
        q2, q1 = gram[0, 0] + gram[1, 1] - 2 * gram[0, 1], 2 * (gram[0, 1] - gram[1, 1])
        equation = [
            d**2 * q2 - s**2 * q2**2,
            d**2 * q1 - s**2 * q1 * q2,
            d**2 * q0 - s**2 * q1**2 / 4,
        ]
        roots = [r.real for r in np.roots(equation) if abs(r.imag) < 1e-9 and 0 <= r.real <= 1]
        mixes = [np.array([r, 1 - r]) for r in (0.0, 1.0, *roots)]
        best = min(mixes, key=lambda mix: mix_value(gram, weights, c, mix))
        np.testing.assert_allclose(conflict_mix(gram, weights, c), best, atol=1e-7)


@pytest.mark.parametrize(("seed", "m"), CASES)
def test_no_solver_finds_a_better_mix(seed, m):
    gradients, weights = problem(seed, m)
    gram, c = gradients @ gradients.T, 0.1 + 0.1 * seed
    found = minimize(
        lambda mix: mix_value(gram, weights, c, mix),
        weights,
        bounds=[(0, 1)] * m,
        constraints={"type": "eq", "fun": lambda mix: mix.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 300},
    )
    theirs = np.maximum(found.x, 0) / np.maximum(found.x, 0).sum()
    ours = conflict_mix(gram, weights, c)
    assert ours.min() >= 0
    assert ours.sum() == pytest.approx(1)
    scale = np.linalg.norm(weights @ gradients) * np.linalg.norm(gradients, axis=1).max()
    gap = mix_value(gram, weights, c, ours) - mix_value(gram, weights, c, theirs)
    assert gap <= 1e-9 * scale


@pytest.mark.parametrize(("seed", "m"), CASES)
def test_no_solver_finds_a_shorter_gradient(seed, m):
    gradients, _ = problem(seed, m)
    gram = gradients @ gradients.T
    ours = least_norm(gram)
    # the simplex by least squares: with |U y|^2 + (sum y - 1)^2, y / sum y is the nearest point
    scale = np.linalg.norm(gradients, axis=1).max()
    row = np.full((1, m), scale)
    shares, _ = nnls(np.vstack([gradients.T, row]), np.append(np.zeros(gradients.shape[1]), scale))
    theirs = shares / shares.sum()
    assert ours.min() >= 0
    assert ours.sum() == pytest.approx(1)
    shortest = np.linalg.norm(gradients, axis=1).min()
    lengths = [np.linalg.norm(shares @ gradients) for shares in (ours, theirs)]
    assert lengths[0] <= lengths[1] + 1e-6 * shortest


@pytest.mark.parametrize("seed", range(8))
def test_along_mgdas_step_losses_fall_in_proportion_to_their_weights(seed):
    gradients, weights = problem(seed, 3)
    found = mgda(gradients @ gradients.T, weights, weighted=True)
    rates = gradients @ (found @ gradients) / weights
    rounding = 1e-9 * np.square(gradients).sum(axis=1).max() / weights.min()
    assert found.sum() == pytest.approx(1)
    assert rates.min() >= -rounding
    assert rates[found > 1e-9] == pytest.approx(rates.min(), abs=rounding)


@pytest.mark.parametrize("seed", range(8))
def test_cagrads_step_is_in_its_ball_and_serves_the_worst_better(seed):
    gradients, weights = problem(seed, 3)
    plain = weights @ gradients
    step = cagrad(gradients @ gradients.T, weights, c=0.5) @ gradients
    assert np.linalg.norm(step - plain) <= 0.5 * np.linalg.norm(plain) * (1 + 1e-9)
    assert (gradients @ step).min() >= (gradients @ plain).min() - 1e-9


def test_clipping_keeps_the_step_nearer_to_the_weighted_sum():
    # for two objectives, where both shares are positive (theorem 3.2)
    compared = 0
    for seed in range(200):
        gradients, weights = problem(seed, 2)
        gram = gradients @ gradients.T
        if gram[0, 1] >= 0 or conflict_mix(gram, weights, 0.5).min() <= 1e-6:
            continue
        plain = weights @ gradients
        steps = [how(gram, weights, c=0.5) @ gradients for how in (raco, cagrad)]
        clipped, free = (plain @ s / np.linalg.norm(s) / np.linalg.norm(plain) for s in steps)
        assert clipped >= free - 1e-9
        compared += 1
    assert compared > 10


def test_both_losses_of_a_conflict_fall_along_racos_step():
    # 0.5 |x - t_i|^2 with gradients at a cosine of -0.3
    targets = np.array([[1.0, 0.0], [-0.3, np.sqrt(1 - 0.09)]])
    x = np.zeros(2)
    before = 0.5 * np.square(x - targets).sum(axis=1)
    for _ in range(20):
        gradients = x - targets
        x = x - 0.05 * raco(gradients @ gradients.T, np.array([0.5, 0.5]), c=0.4) @ gradients
    assert (0.5 * np.square(x - targets).sum(axis=1) < before).all()
