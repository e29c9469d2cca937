from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from paretoflow.core.values import History
from paretoflow.front.dominance import nondominated
from paretoflow.front.hypervolume import hypervolume
from paretoflow.proposers.outlook import (
    AHEAD,
    FEWEST,
    FILLED,
    added_by_run,
    expected_gain,
    forecast,
    open_shares,
    opening_runs,
)
from tests.histories import histories, history_of, opening, problem_of, weighted

TWO = problem_of(2)
LINE = [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]
"""The opening stage: a straight front."""


def swept(points, *, stderr: float = 0.0, failed=()) -> History:
    """A history of one run for each point, the opening stage first; a failed run has no point."""
    m = len(points[0])
    draws = [
        weighted(w, tag="draw") for w in np.random.default_rng(0).random((len(points) - m - 1, m))
    ]
    rows = [(i, p) for i, p in enumerate(points) if i not in failed]
    launches = [*opening(m), *draws]
    return history_of(problem_of(m), launches, rows, stderr=stderr, failed=failed)


def test_the_mean_by_hand():
    assert forecast(np.zeros(0), 3, 0.1, 2.0)[0] == pytest.approx(0.1)
    mean, low, high = forecast(np.array([0.2, 0.0]), 3, 0.1, 0.0)
    assert mean == pytest.approx(0.224 / 2.44)
    assert 0 <= low < mean < high
    # the second of two runs is carried from the fifth run to the middle of the next eight
    carried = 0.2 * (5 / (5 + (1 + AHEAD) / 2)) ** 2
    assert forecast(np.array([0.0, 0.2]), 3, 0.0, 2.0)[0] == pytest.approx(carried / 2.44)


def test_a_long_time_without_any_gain_forgets_what_was_expected():
    mean, low, high = forecast(np.zeros(20), 3, 0.1, 2.0)
    assert (mean, low) == (pytest.approx(0.1 * 0.8**20 / 4.954, rel=1e-3), 0.0)
    assert high < 0.01
    assert forecast(np.zeros(4), 3, 0.0, 2.0) == (0.0, 0.0, 0.0)


def test_gains_that_scatter_more_give_a_wider_interval():
    even = forecast(np.full(8, 0.01), 3, 0.01, 0.0)
    uneven = forecast(np.array([0.0, 0.02] * 4), 3, 0.01, 0.0)
    assert even[0] == pytest.approx(0.01)
    assert uneven[2] - uneven[1] > even[2] - even[1]


def test_open_boxes_by_hand():
    """Hypervolume beyond (-.1, -.1): .11 + .10 + .25 = .46; both boxes hold .49 ** 2."""
    history = history_of(TWO, opening(2), list(enumerate(LINE)))
    assert hypervolume(history.gains, history.ref) == pytest.approx(0.46)
    assert open_shares(history) == pytest.approx((0.49**2 / 0.46, 2 * 0.49**2 / 0.46))


def test_noise_closes_boxes_that_it_hides():
    history = history_of(TWO, opening(2), list(enumerate(LINE)), stderr=0.1)
    noise = np.sqrt(2) * 0.1
    assert open_shares(history)[0] == pytest.approx((0.5 - noise) ** 2 / 0.46)
    assert open_shares(replace(history, stderr=np.full((3, 2), 1.0))) == (0.0, 0.0)


def test_gains_of_runs_by_hand():
    """(1, 0), (0, 1), (.5, .5), then (.75, .25) adds .25 ** 2, a copy and a failed run nothing."""
    points = [*LINE, [0.75, 0.25], [0.75, 0.25], [0.0, 0.0]]
    history = swept(points, failed=(5,))
    assert added_by_run(history, 3) == pytest.approx([0.0625, 0.0, 0.0])
    assert added_by_run(history, 2) == pytest.approx([0.25, 0.0625, 0.0, 0.0])
    doubtful = replace(history, stderr=np.full_like(history.stderr, 0.2))
    assert added_by_run(doubtful, 3) == pytest.approx([0.15**2, 0.0, 0.0])


def test_the_estimate_joins_both():
    points = [*LINE, [0.75, 0.25], [0.25, 0.75], [0.1, 0.1]]
    history = swept(points)
    volume = hypervolume(history.gains, history.ref)
    added = np.array([0.0625, 0.0625, 0.0]) / volume
    expected = forecast(added, 3, FILLED * 0.24**2 / volume, 2.0)
    found = expected_gain(history)
    assert found is not None
    assert (found.per_run, found.low, found.high) == pytest.approx(expected)
    assert found.bound == pytest.approx(4 * 0.24**2 / volume)


def test_there_is_none_before_some_runs_after_the_opening_stage_have_ended():
    points = [*LINE, [0.75, 0.25], [0.25, 0.75], [0.1, 0.1]]
    assert opening_runs(swept(points)) == 3
    assert len(points) == 3 + FEWEST
    assert expected_gain(swept(points[:-1])) is None
    assert expected_gain(swept(points), [weighted([0.5, 0.5], tag="spread")]) is not None
    assert expected_gain(swept(points), [weighted([0.5, 0.5], tag="initial")]) is None
    late = weighted([0.3, 0.7], tag="initial")
    longer = history_of(TWO, [*opening(2), weighted([0.2, 0.8], tag="draw"), late])
    assert opening_runs(longer) == 5


@pytest.mark.parametrize("m", [2, 3, 5])
def test_odd_histories_have_no_estimate_or_a_sensible_one(m):
    for history, pending in histories(m).values():
        assert expected_gain(history, pending) is None  # none of them is past the opening
        more = [weighted(w, tag="draw") for w in np.eye(m)[:2].tolist() * 2]
        runs = history_of(history.problem, more).runs
        longer = replace(history, runs=(*history.runs, *runs, *runs))
        found = expected_gain(longer)
        if found is not None:
            assert 0 <= found.low <= found.per_run <= found.high < 1
            assert found.bound >= 0


def test_permuting_the_objectives_permutes_nothing():
    points = np.random.default_rng(1).random((12, 3))
    history, turned = swept(points.tolist()), swept(points[:, [2, 0, 1]].tolist())
    a, b = expected_gain(history), expected_gain(turned)
    assert a is not None
    assert b is not None
    assert (a.per_run, a.low, a.high) == pytest.approx((b.per_run, b.low, b.high))


def test_failed_runs_count_as_runs_that_added_nothing():
    points = [*LINE, [0.75, 0.25], [0.25, 0.75], [0.6, 0.4], [0.4, 0.6]]
    good = expected_gain(swept(points))
    bad = expected_gain(swept(points, failed=(5, 6)))
    assert good is not None
    assert bad is not None
    assert bad.per_run < good.per_run


def test_ten_thousand_evaluations_take_well_under_a_second():
    rng = np.random.default_rng(0)
    points = rng.random((10_000, 4))
    points /= np.linalg.norm(points, axis=1, keepdims=True) * rng.uniform(1, 2, (10_000, 1))
    short = swept(points[:8].tolist())
    history = replace(
        short,
        runs=short.runs * 125,
        gains=points,
        stderr=np.full_like(points, 0.01),
        run_index=np.repeat(np.arange(1000), 10),
        snapshot_ids=tuple(map(str, range(10_000))),
        front=np.flatnonzero(nondominated(points)),
    )
    began = time.process_time()
    assert expected_gain(history) is not None
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize("m", [5, 6])
def test_many_objectives_take_well_under_a_second(m):
    points = np.random.default_rng(0).random((100, m))
    history = swept((points / np.linalg.norm(points, axis=1, keepdims=True)).tolist())
    began = time.process_time()
    found = expected_gain(history)
    assert time.process_time() - began < 1.0
    assert found is not None
    assert 0 < found.per_run < 0.1
