from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from paretoflow.core.values import FloatArray
from paretoflow.proposers.hyperbolas import OUTLIER, fitted_hyperbolas, hyperbola


def fitted(x: FloatArray, y: FloatArray, shares: FloatArray) -> FloatArray:
    return fitted_hyperbolas(x[None], y[None], shares[None])[0]


def test_the_hyperbola_by_hand_and_against_the_papers_own_form():
    by_hand = hyperbola(np.array([0.0, 1.0]), np.array([2.0, np.log(3), 0.0, 1.0]))
    assert by_hand == pytest.approx([1.0, 2.0])
    x = np.linspace(0, 1, 9)
    height, slope, centre, level = 0.3, 7.0, 0.4, -0.1
    grown = np.exp(slope * (x - centre))
    papers = height * (grown - 1) / (grown + 1) + level
    assert hyperbola(x, np.array([height, slope, centre, level])) == pytest.approx(papers)


def test_a_fit_recovers_a_hyperbola_and_an_outlier_moves_it_little():
    x = np.linspace(0, 1, 15)
    y = hyperbola(x, np.array([0.2, 8.0, 0.6, 0.05]))
    assert hyperbola(x, fitted(x, y, np.ones(15))) == pytest.approx(y, abs=2e-3)
    torn = y.copy()
    torn[3] += 1.0
    assert hyperbola(x, fitted(x, torn, np.ones(15))) == pytest.approx(y, abs=0.04)


def test_points_without_a_share_do_not_count():
    x = np.array([0.0, 0.25, 0.5, 0.75, 1.0, 0.5])
    y = np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.9])
    found = hyperbola(x, fitted(x, y, np.array([1, 1, 1, 1, 1, 0.0])))
    assert found == pytest.approx(0.1, abs=1e-3)


def test_constant_changes_and_equal_weights_are_fitted_too():
    same = fitted(np.full(5, 0.5), np.linspace(0, 0.2, 5), np.ones(5))
    assert hyperbola(np.array([0.5]), same) == pytest.approx([0.1], abs=0.02)


def loss(x: FloatArray, y: FloatArray, shares: FloatArray, parameters: FloatArray) -> float:
    residuals = shares * (hyperbola(x, parameters) - y) / OUTLIER
    return float(2 * (np.sqrt(1 + residuals**2) - 1).sum())


def by_scipy(x: FloatArray, y: FloatArray, shares: FloatArray) -> FloatArray:
    height = max(float(np.ptp(y)), OUTLIER)
    found = least_squares(
        lambda p: shares * (hyperbola(x, p) - y) / OUTLIER,
        [height / 2, 4.0, 0.5, float(np.median(y))],
        bounds=([0.0, 0.1, -5.0, -6.0], [height, 20.0, 5.0, 6.0]),
        loss="soft_l1",
    )
    return np.asarray(found.x)


def test_fits_are_as_good_as_those_of_a_general_solver():
    rng = np.random.default_rng(0)
    x, shares = rng.random((40, 30)), rng.random((40, 30))
    true = np.stack([rng.uniform(a, b, 40) for a, b in ((0.05, 0.5), (2, 15), (0, 1), (-1, 1))], 1)
    y = hyperbola(x, true) + rng.normal(scale=0.02, size=x.shape)
    found = fitted_hyperbolas(x, y, shares)
    ours = np.array([loss(*row) for row in zip(x, y, shares, found, strict=True)])
    theirs = [loss(x[i], y[i], shares[i], by_scipy(x[i], y[i], shares[i])) for i in range(len(x))]
    assert np.median(ours / theirs) == pytest.approx(1.0, abs=1e-3)
    # a fit may end in another valley than the solver's, now and then in a worse one
    assert np.mean(ours > 1.05 * np.array(theirs)) < 0.1


def test_rows_do_not_touch_each_other_and_padding_counts_for_nothing():
    rng = np.random.default_rng(1)
    x, y = rng.random((3, 12)), rng.normal(scale=0.1, size=(3, 12))
    shares = np.ones((3, 12))
    shares[0, 6:] = 0.0
    torn = y.copy()
    torn[0, 6:] = 9.0
    whole = fitted_hyperbolas(x, torn, shares)
    for row, length in ((0, 6), (1, 12), (2, 12)):
        alone = fitted(x[row, :length], y[row, :length], np.ones(length))
        assert hyperbola(x[row], whole[row]) == pytest.approx(hyperbola(x[row], alone), abs=5e-3)
