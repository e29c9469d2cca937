from __future__ import annotations

import numpy as np
import pytest

from paretoflow.core.values import LaunchKind, Proposal, WeightVector
from paretoflow.front.dominance import nondominated
from paretoflow.proposers.asked import Asked
from paretoflow.proposers.boxes import (
    MAX_POINTS,
    NARROWEST,
    landscape,
    largest_box,
    local_lower_bounds,
    scale_of,
)
from paretoflow.proposers.empty_box import EmptyBoxProposer, starting_weights
from paretoflow.spec.proposers import EmptyBoxProposerSpec
from tests.histories import history_of, problem_of, weighted

THREE = [(0, [0.0, 10.0]), (1, [4.0, 7.0]), (2, [9.0, 1.0])]
DONE = [weighted([0, 1]), weighted([0.5, 0.5]), weighted([1, 0])]
TENS = problem_of(2, 0.0, 10.0)


def propose(rows, pending=(), done=DONE, count=1, *, stderr=0.0, failed=()):
    history = history_of(TENS, done, rows, stderr=stderr, failed=failed)
    proposer = EmptyBoxProposer(EmptyBoxProposerSpec(type="empty_box"), m=2, runs=12)
    return proposer.propose(history, pending, count, 0)


def test_the_larger_of_two_boxes_is_halved_in_its_longer_side():
    (launch,) = propose(THREE)
    assert launch.kind is LaunchKind.CONSTRAINED
    assert launch.parent == "r0001-a0-s0001"
    assert launch.target == 0
    # box (4, 1) to (9, 7): keep the second at (1 + 7) / 2 - 0.5, pass the first's middle
    assert launch.thresholds == pytest.approx((6.5, 3.5))
    assert "30.0%" in launch.reason
    assert "raises coverage, keeping brevity at least 3.5" in launch.reason


def test_weights_start_between_the_target_and_the_normal_of_the_gap():
    (launch,) = propose(THREE)
    normal = np.array([1 / 5, 1 / 6]) / (1 / 5 + 1 / 6)
    assert launch.weights.array == pytest.approx((np.array([1, 0]) + normal) / 2)
    way = largest_box(landscape(history_of(TENS, DONE, THREE), Asked(DONE), ()), 0.05)
    assert way is not None
    assert starting_weights(way.box) == launch.weights


def test_a_pending_launch_is_believed_so_that_the_next_goes_elsewhere():
    first, second, third = propose(THREE, count=3)
    # remaining part of the explored box: from (4, 7) to the believed (6.5, 3.5), or on to (9, 1)
    assert (second.parent, second.target, second.thresholds) != (
        first.parent,
        first.target,
        first.thresholds,
    )
    # the other gap, 12, is now larger than either rest: 2.5 * 3.5 and 2.5 * 2.5
    assert second.parent in {"r0000-a0-s0000", "r0001-a0-s0001"}
    assert second.thresholds == pytest.approx((2 - 0.5, 8.5))
    assert third.thresholds != second.thresholds


@pytest.mark.parametrize("failed", [(), (3,)])
def test_an_ended_launch_deletes_its_half_of_the_box_found_or_not(failed):
    (first,) = propose(THREE)
    (second,) = propose(THREE, done=[*DONE, first], failed=failed)
    # the same gap from its other end: towards the first objective only the half below 3.5 is left
    assert (second.parent, second.target) == ("r0002-a0-s0002", 1)
    assert second.thresholds == pytest.approx((6.5 - 0.5, 4))


def test_once_every_box_is_deleted_the_oldest_questions_are_forgotten():
    done = list(DONE)
    for _ in range(40):
        (launch,) = propose(THREE, done=done)
        done.append(launch)
    again = [p for p in done if "asked about before" in p.reason]
    assert again
    assert all(p.kind is LaunchKind.CONSTRAINED for p in done[3:])
    assert {p.parent for p in done[3:]} == {"r0000-a0-s0000", "r0001-a0-s0001", "r0002-a0-s0002"}


def test_a_gap_within_the_standard_errors_is_left_alone():
    assert propose(THREE, stderr=2.0)[0].thresholds == pytest.approx((6.5, 3.5))
    # combined errors of sqrt(2) * 4 exceed five of the first objective
    (launch,) = propose(THREE, stderr=4.0)
    assert launch.kind is LaunchKind.WEIGHTED
    assert "No gap to fill is known any more" in launch.reason


def test_the_base_bounds_a_box_but_no_run_starts_from_it():
    rows = [(-1, [0.0, 10.0]), (0, [9.0, 1.0])]
    (launch,) = propose(rows)
    assert launch.parent == "r0000-a0-s0001"


def test_idle_workers_may_spend_a_quarter_of_the_budget_while_the_opening_trains():
    proposer = EmptyBoxProposer(EmptyBoxProposerSpec(type="empty_box"), m=2, runs=20)
    chosen = proposer.propose(history_of(TENS), (), 8, 0)
    assert [p.tag for p in chosen] == ["initial"] * 3 + ["spread"] * 2


def test_local_lower_bounds_by_hand():
    bounds = local_lower_bounds(
        np.array([[0.0, 3], [3, 0], [2, 1]]), np.zeros((1, 2)), np.array([3.0, 3.0])
    )
    assert {tuple(b) for b in bounds.tolist()} == {(0, 1), (2, 0)}


@pytest.mark.parametrize("m", [2, 3, 4])
def test_the_region_above_the_bounds_is_exactly_what_no_point_dominates(m):
    rng = np.random.default_rng(m)
    points = rng.random((12, m))
    points = points[nondominated(points)]
    bounds = local_lower_bounds(points, np.zeros((1, m)), np.full(m, 2.0))
    probes = rng.random((500, m))
    above = (probes[:, None, :] > bounds[None, :, :]).all(axis=2).any(axis=1)
    dominated = (probes[:, None, :] <= points[None, :, :]).all(axis=2).any(axis=1)
    assert (above == ~dominated).all()
    inside = (bounds[:, None, :] >= bounds[None, :, :]).all(axis=2).sum(axis=1)
    assert (inside == 1).all()


def test_two_objectives_leave_the_gaps_between_neighbours():
    gains = [(0, [0.0, 1.0]), (1, [0.3, 0.8]), (2, [0.4, 0.4]), (0, [1.0, 0.0]), (0, [0.1, 0.1])]
    history = history_of(problem_of(2), DONE, gains)
    way = largest_box(landscape(history, Asked(DONE), ()), 0.0)
    assert way is not None
    assert way.box.lower == pytest.approx([0.4, 0.0])
    assert way.box.upper == pytest.approx([1.0, 0.4])
    assert way.box.volume == pytest.approx(0.24)


def test_slack_never_reaches_the_ends_of_a_narrow_box():
    gains = [(0, [0.0, 0.1]), (1, [0.1, 0.0])]
    way = largest_box(landscape(history_of(problem_of(2), DONE, gains), Asked(DONE), ()), 0.05)
    assert way is not None
    assert way.thresholds.min() == pytest.approx(0.1 / 2 - 0.1 / 4)


def test_questions_of_other_proposers_delete_too():
    question = Proposal(
        LaunchKind.CONSTRAINED,
        WeightVector.of([1, 1]),
        0,
        "Because.",
        "cmorl",
        parent="r0001-a0-s0001",
        target=0,
        thresholds=(4.0, 3.5),
    )
    (with_it,) = propose(THREE, done=[*DONE, question])
    assert (with_it.parent, with_it.target) == ("r0002-a0-s0002", 1)


def test_an_empty_range_counts_in_raw_units():
    history = history_of(problem_of(2, 1.0, 1.0))
    assert scale_of(history).tolist() == [1.0, 1.0]


def test_a_large_front_is_thinned_and_still_leads_into_its_gap():
    x = np.concatenate([np.linspace(0, 0.3, 200), np.linspace(0.7, 1, 200)])
    rows = [(0, [v, 1 - v]) for v in x.tolist()]
    assert len(rows) > MAX_POINTS
    way = largest_box(landscape(history_of(problem_of(2), DONE, rows), Asked(DONE), ()), 0.05)
    assert way is not None
    assert way.box.lower == pytest.approx([0.3, 0.3], abs=0.05)
    assert way.box.upper == pytest.approx([0.7, 0.7], abs=0.05)
    assert way.box.side.min() > NARROWEST


def _plain_bounds(points, bounds, limit):
    """The definition, point by point, without any shortcut."""
    for point in points:
        hit = (bounds < point).all(axis=1)
        if not hit.any():
            continue
        raised = np.repeat(bounds[hit][:, None, :], len(point), axis=1)
        diagonal = np.arange(len(point))
        raised[:, diagonal, diagonal] = point
        new = np.unique(raised.reshape(-1, len(point)), axis=0)
        new = new[(new < limit).all(axis=1)]
        others = np.vstack([bounds[~hit], new])
        covered = (others[None, :, :] <= new[:, None, :]).all(axis=2).sum(axis=1) > 1
        bounds = np.vstack([bounds[~hit], new[~covered]])
    return bounds


@pytest.mark.parametrize("m", [2, 3, 4])
def test_shortcuts_change_no_bound_and_no_order(m):
    rng = np.random.default_rng(m)
    for _ in range(30):
        points = rng.integers(0, 9, (24, m)) / 8.0  # many ties
        points = points[nondominated(points)] if rng.random() < 0.5 else points
        start = np.vstack([np.zeros(m), rng.integers(0, 9, (3, m)) / 8.0])
        args = (points, start, np.ones(m))
        assert np.array_equal(local_lower_bounds(*args), _plain_bounds(*args))
