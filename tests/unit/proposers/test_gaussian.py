from __future__ import annotations

import numpy as np
import pytest

from paretoflow.core.values import FloatArray
from paretoflow.proposers.gaussian import POSTERIOR_POINTS, GainModel, GaussianProcess
from paretoflow.proposers.kernels import Evidence, Kernel, fitted_kernel, matern

NONE = np.empty((0, 2))


def bump(inputs: FloatArray) -> FloatArray:
    return np.asarray(np.sin(5 * inputs[:, 0]) + inputs[:, 1] ** 2)


def draws(count: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).random((count, 2))


def test_one_length_apart_the_correlation_is_known():
    origin, apart = np.zeros((1, 2)), np.array([[0.0, 0.5]])
    assert matern(origin, apart, np.array([9.0, 0.5]))[0, 0] == pytest.approx(0.5240, abs=1e-4)
    assert matern(origin, origin, np.ones(2))[0, 0] == 1.0


def test_the_posterior_of_one_value_by_hand():
    kernel = Kernel(np.ones(1), variance=1.0, nugget=1.0)
    known = GaussianProcess.conditioned(kernel, np.zeros((1, 1)), np.array([2.0]), np.zeros(1))
    mean, sd = known.predicted(np.array([[0.0], [90.0]]))
    assert mean == pytest.approx([1.0, 0.0])
    assert sd**2 == pytest.approx([0.5, 1.0])


def test_what_a_run_attained_by_hand():
    def attained(nugget: float, stderr: float) -> float:
        kernel = Kernel(np.ones(1), variance=1.0, nugget=nugget)
        seen = np.zeros((1, 1)), np.array([2.0]), np.array([stderr])
        return float(GaussianProcess.conditioned(kernel, *seen).attained()[0])

    assert attained(nugget=0.0, stderr=1.0) == pytest.approx(1.0)
    assert attained(nugget=1.0, stderr=0.0) == pytest.approx(2.0)
    # of a variance of 3 in all, 2 are the run's own: it keeps two thirds of what was seen
    assert attained(nugget=1.0, stderr=1.0) == pytest.approx(4 / 3)


def test_the_posterior_is_the_normal_distribution_given_the_values():
    # the same by the textbook's formula for a joint normal vector, in one go and with an inverse
    kernel = Kernel(np.array([0.4, 0.8]), variance=2.0, nugget=0.1, mean=3.0, mean_variance=1.5)
    seen, where, stderr = draws(12), draws(5, 1), np.linspace(0, 0.3, 12)
    outcomes = bump(seen) + 3
    both = kernel.covariance(np.vstack([seen, where]), np.vstack([seen, where]))
    inverse = np.linalg.inv(both[:12, :12] + np.diag(stderr**2 + 0.1))
    mean = 3 + both[12:, :12] @ inverse @ (outcomes - 3)
    covariance = both[12:, 12:] - both[12:, :12] @ inverse @ both[:12, 12:]
    process = GaussianProcess.conditioned(kernel, seen, outcomes, stderr)
    for found, wanted in zip(process.joint(where), (mean, covariance), strict=True):
        assert found == pytest.approx(wanted, abs=1e-9)
    assert process.predicted(where)[1] == pytest.approx(np.sqrt(np.diag(covariance)))


def test_the_loss_is_the_normal_density_and_its_gradient_is_right():
    inputs, stderr = draws(9), np.linspace(0.05, 0.2, 9)
    outcomes = bump(inputs)
    evidence = Evidence(inputs, outcomes, stderr)
    logs = np.log([0.4, 0.9, 1.5, 0.02])

    def density(at: FloatArray) -> float:
        kernel = Kernel(np.exp(at[:2]), float(np.exp(at[2])), float(np.exp(at[3])), 0.0, 1.0)
        noise = np.diag(stderr**2 + kernel.nugget)
        covariance = kernel.covariance(inputs, inputs) + noise
        fit = outcomes @ np.linalg.solve(covariance, outcomes)
        return float(fit + np.linalg.slogdet(covariance)[1]) / 2

    def prior(at: FloatArray) -> float:
        return float((((at - evidence.median) / [1, 1, 1, 2]) ** 2).sum()) / 2

    loss, slopes = evidence.loss(logs)
    assert loss == pytest.approx(density(logs) + prior(logs))
    steps = 1e-6 * np.eye(4)
    rises = [evidence.loss(logs + s)[0] - evidence.loss(logs - s)[0] for s in steps]
    assert slopes == pytest.approx(np.array(rises) / 2e-6, rel=1e-4, abs=1e-6)


def test_a_smooth_outcome_is_found_and_the_doubt_is_honest():
    inputs = draws(40)
    noisy = bump(inputs) + 0.02 * np.random.default_rng(3).standard_normal(40)
    process = GaussianProcess.fitted(inputs, noisy, np.full(40, 0.02))
    mean, sd = process.predicted(draws(200, 1))
    off = mean - bump(draws(200, 1))
    assert np.sqrt((off**2).mean()) < 0.03
    assert 0.5 < np.sqrt(((off / sd) ** 2).mean()) < 2


def test_training_variance_that_no_standard_error_tells_of_is_learnt():
    inputs = np.repeat(draws(12), 4, axis=0)
    luck = 0.1 * np.random.default_rng(4).standard_normal(48)
    kernel = fitted_kernel(inputs, bump(inputs) + luck, np.zeros(48))
    assert kernel.nugget == pytest.approx(0.01, rel=0.6)


def test_a_dimension_that_does_nothing_gets_the_longer_length():
    inputs = draws(40)
    kernel = fitted_kernel(inputs, np.sin(6 * inputs[:, 0]), np.zeros(40))
    assert kernel.lengths[1] > 4 * kernel.lengths[0]


def test_units_shift_and_scale_the_answer():
    inputs, where, stderr = draws(10), draws(4, 1), np.full(10, 0.1)
    plain = GaussianProcess.fitted(inputs, bump(inputs), stderr).predicted(where)
    other = GaussianProcess.fitted(inputs, 7 - 50 * bump(inputs), 50 * stderr).predicted(where)
    assert other[0] == pytest.approx(7 - 50 * plain[0], rel=1e-3)
    assert other[1] == pytest.approx(50 * plain[1], rel=1e-2)


def test_swapping_inputs_and_objectives_swaps_the_predictions():
    inputs, where = draws(14), draws(6, 1)
    gains = np.stack([bump(inputs), inputs[:, 1]], axis=1)
    stderr = np.full((14, 2), 0.02)
    plain = GainModel.fitted(inputs, gains, stderr).predicted(where)
    other = GainModel.fitted(inputs[:, ::-1], gains[:, ::-1], stderr).predicted(where[:, ::-1])
    assert other[0][:, ::-1] == pytest.approx(plain[0], abs=1e-3)
    assert other[1][:, ::-1] == pytest.approx(plain[1], abs=1e-3)


def test_a_belief_keeps_the_means_and_takes_the_doubt():
    inputs, there = draws(8), np.array([[0.9, 0.1]])
    gains = np.stack([bump(inputs), inputs[:, 1]], axis=1)
    model = GainModel.fitted(inputs, gains, np.full((8, 2), 0.01))
    believed = model.believing(there)
    where = np.vstack([draws(20, 1), there])
    mean, sd = believed.predicted(where)
    assert mean == pytest.approx(model.predicted(where)[0], abs=1e-8)
    assert (sd <= model.predicted(where)[1] + 1e-9).all()
    assert sd[-1, 0] < 0.5 * model.predicted(there)[1][0, 0]
    exact = GainModel.fitted(inputs, gains, np.zeros((8, 2))).believing(there)
    assert np.isfinite(exact.predicted(where)[1]).all()
    assert model.believing(NONE).predicted(where)[1] == pytest.approx(model.predicted(where)[1])


@pytest.mark.parametrize(
    ("inputs", "outcomes"),
    [(NONE, []), ([[0.5, 0.5]], [3.0]), ([[0.5, 0.5]] * 3, [3.0] * 3), (draws(5), [3.0] * 5)],
    ids=["nothing", "one", "copies", "no spread"],
)
def test_little_or_flat_data_give_finite_answers(inputs, outcomes):
    inputs, outcomes = np.array(inputs), np.array(outcomes)
    process = GaussianProcess.fitted(inputs, outcomes, np.zeros(len(outcomes)))
    mean, sd = process.predicted(draws(3, 1))
    assert mean == pytest.approx([3.0 if len(outcomes) else 0.0] * 3)
    assert (sd > 0).all()
    assert np.isfinite(sd).all()


def test_of_many_points_a_spread_part_is_used():
    inputs = np.vstack([np.full((3000, 2), 0.5), draws(300)])
    process = GaussianProcess.fitted(inputs, bump(inputs), np.full(3300, 0.01))
    assert len(process.inputs) == POSTERIOR_POINTS
    assert process.predicted(draws(50, 1))[0] == pytest.approx(bump(draws(50, 1)), abs=0.05)
