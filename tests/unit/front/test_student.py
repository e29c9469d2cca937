"""Intervals by Student and the degrees of freedom of sums, by hand and against SciPy's own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from paretoflow.front.student import student_interval, summed


def test_it_is_scipys_interval_of_a_mean_and_of_welchs_difference() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=7), rng.normal(1, 3, size=12)
    parts = [(float(np.var(x, ddof=1)) / len(x), float(len(x) - 1)) for x in (first, second)]
    own = stats.ttest_1samp(first, 0).confidence_interval()
    assert student_interval(first.mean(), *parts[0]) == pytest.approx((own.low, own.high))
    welch = stats.ttest_ind(first, second, equal_var=False).confidence_interval()
    change = float(first.mean() - second.mean())
    assert student_interval(change, *summed(parts)) == pytest.approx((welch.low, welch.high))


def test_without_an_error_it_is_a_point_and_by_hand() -> None:
    assert student_interval(2.0, 0.0, 5) == (2.0, 2.0)
    assert student_interval(2.0, *summed([])) == (2.0, 2.0)
    assert student_interval(1.0, 4.0, 3) == pytest.approx((1 - 6.364893, 1 + 6.364893))
    assert student_interval(0.0, 1.0, 0) == student_interval(0.0, 1.0, 1)
    assert summed([(1.0, 4.0), (1.0, 4.0)]) == (2.0, 8.0)
