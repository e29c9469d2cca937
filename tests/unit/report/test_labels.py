from __future__ import annotations

import math

import pytest

from paretoflow.core.values import Problem
from paretoflow.report.labels import (
    axis_title,
    score_text,
    seconds_text,
    thresholds_text,
    weights_text,
)
from tests.views import COVERAGE, LENGTH


def test_axis_titles_say_which_way_is_better() -> None:
    assert axis_title(COVERAGE) == "coverage, more is better"
    assert axis_title(LENGTH) == "length [words], less is better"


@pytest.mark.parametrize(
    ("score", "stderr", "text"),
    [
        (0.52, 0.018, "0.520 ± 0.018"),
        (47.512, 1.3, "47.5 ± 1.3"),
        (1234.5, 130.0, "1234 ± 130"),
        (0.5, 0.0, "0.5"),
        (0.5, math.nan, "0.5"),
    ],
)
def test_scores_are_rounded_by_their_error(score: float, stderr: float, text: str) -> None:
    assert score_text(score, stderr) == text


def test_thresholds_are_shown_as_raw_bounds() -> None:
    """A gain of -36 in a minimised objective is a score of at most 36; -inf is no bound."""
    problem = Problem((COVERAGE, LENGTH))
    assert thresholds_text((0.4, -36.0), problem) == "coverage ≥ 0.4, length ≤ 36"
    assert thresholds_text((-math.inf, -36.0), problem) == "length ≤ 36"


def test_weights_by_name() -> None:
    problem = Problem((COVERAGE, LENGTH))
    assert weights_text((0.25, 0.75), problem) == "coverage 0.25, length 0.75"
    assert weights_text(None, problem) == "–"  # noqa: RUF001


def test_durations_in_a_fitting_unit() -> None:
    assert [seconds_text(s) for s in (12.34, 600.0, 9000.0)] == ["12.3 s", "10 min", "2.5 h"]
