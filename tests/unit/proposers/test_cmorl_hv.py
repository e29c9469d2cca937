from __future__ import annotations

import numpy as np
import pytest

from paretoflow.core.values import LaunchKind
from paretoflow.proposers.asked import Asked
from paretoflow.proposers.boxes import landscape
from paretoflow.proposers.cmorl_hv import CmorlHvProposer, best_step
from paretoflow.spec.proposers import CmorlHvProposerSpec
from tests.histories import history_of, opening, problem_of, weighted

THREE = [(0, [0.0, 10.0]), (1, [4.0, 7.0]), (2, [9.0, 1.0])]
DONE = [weighted([0, 1]), weighted([0.5, 0.5]), weighted([1, 0])]
TENS = problem_of(2, 0.0, 10.0)
FIRST, MIDDLE, LAST = ("r0000-a0-s0000", "r0001-a0-s0001", "r0002-a0-s0002")


def propose(rows, pending=(), done=DONE, count=1, *, stderr=0.0, failed=(), reach=0.5):
    history = history_of(TENS, done, rows, stderr=stderr, failed=failed)
    proposer = CmorlHvProposer(CmorlHvProposerSpec(type="cmorl_hv", reach=reach), m=2, runs=12)
    return proposer.propose(history, pending, count, 0)


def test_the_policy_beside_the_larger_gain_gives_up_half_the_way_to_its_neighbour():
    (launch,) = propose(THREE)
    assert launch.kind is LaunchKind.CONSTRAINED
    assert (launch.parent, launch.target) == (MIDDLE, 0)
    assert launch.thresholds == pytest.approx((6.5, 4.0))
    assert "7.5%" in launch.reason
    assert "raises coverage, keeping brevity at least 4" in launch.reason
    # half the parent's weights and half the target, as C-MORL starts
    assert launch.weights.array == pytest.approx([0.75, 0.25])


def test_the_neighbour_sets_the_threshold_and_reach_how_near_it_comes():
    (launch,) = propose(THREE, reach=0.25)
    # a quarter of the way is as good from either end: (5.25, 5.5) and (7.75, 2.5) add 1.25 * 4.5
    assert launch.thresholds == pytest.approx((5.25, 5.5))


def test_nobody_is_extended_in_what_he_is_the_best_in():
    done, asked = list(DONE), []
    for _ in range(12):
        (launch,) = propose(THREE, done=done)
        done.append(launch)
        asked.append((launch.parent, launch.target))
    assert (FIRST, 1) not in asked
    assert (LAST, 0) not in asked
    assert {(FIRST, 0), (MIDDLE, 0), (MIDDLE, 1), (LAST, 1)} <= set(asked)


def test_a_pending_launch_is_believed_and_the_next_goes_to_another_gap():
    first, second = propose(THREE, count=2)
    assert first.thresholds == pytest.approx((6.5, 4.0))
    # the other gap adds 2 * 1.5 = 3, each rest of this one 2.5 * 3 / 4
    assert second.thresholds == pytest.approx((2.0, 8.5))


@pytest.mark.parametrize("failed", [(), (3,)])
def test_what_was_asked_for_in_vain_is_asked_from_the_other_side(failed):
    (first,) = propose(THREE)
    (second,) = propose(THREE, done=[*DONE, first], failed=failed)
    # towards the first objective nothing above 4 is left; towards the second, all
    assert (second.parent, second.target) == (LAST, 1)
    assert second.thresholds == pytest.approx((6.5, 4.0))


def test_a_refuted_gap_is_asked_again_only_once_all_are_refuted():
    done = list(DONE)
    for _ in range(40):
        (launch,) = propose(THREE, done=done)
        done.append(launch)
    assert all(p.kind is LaunchKind.CONSTRAINED for p in done[3:])
    first = next(i for i, p in enumerate(done) if "asked about before" in p.reason)
    questions = [(p.target, p.thresholds) for p in done[3:first]]
    assert len(set(questions)) == len(questions) > 9


def test_a_gap_within_the_standard_errors_is_left_alone():
    assert propose(THREE, stderr=2.0)[0].thresholds == pytest.approx((6.5, 4.0))
    assert propose(THREE, stderr=4.0)[0].kind is LaunchKind.WEIGHTED


def test_the_base_bounds_a_gap_but_no_run_starts_from_it():
    rows = [(-1, [0.0, 10.0]), (2, [9.0, 1.0]), (0, [0.0, 9.9])]
    (launch,) = propose(rows)
    assert (launch.parent, launch.target) == ("r0002-a0-s0001", 1)
    assert launch.thresholds == pytest.approx((4.5, 5.5))


def test_a_run_may_fall_at_least_as_far_as_noise_may_have_lifted_its_parent():
    (launch,) = propose(THREE, stderr=1.2, reach=0.1)
    assert launch.parent is not None
    parent = dict(zip([FIRST, MIDDLE, LAST], (g for _, g in THREE), strict=True))[launch.parent]
    held = 1 - (launch.target or 0)
    # a tenth of the gap is less than the combined errors of sqrt(2) * 1.2
    assert launch.thresholds[held] == pytest.approx(parent[held] - 2**0.5 * 1.2)


def test_between_believed_points_a_run_starts_from_the_nearest_policy_before_them():
    chosen = propose(THREE, count=9)
    assert all(p.kind is LaunchKind.CONSTRAINED for p in chosen)
    assert {p.parent for p in chosen} == {FIRST, MIDDLE, LAST}
    assert len({p.thresholds for p in chosen}) == 9


def test_idle_workers_may_spend_a_quarter_of_the_budget_while_the_opening_trains():
    proposer = CmorlHvProposer(CmorlHvProposerSpec(type="cmorl_hv"), m=2, runs=20)
    chosen = proposer.propose(history_of(TENS), (), 8, 0)
    assert [p.tag for p in chosen] == ["initial"] * 3 + ["spread"] * 2


@pytest.mark.parametrize("m", [2, 3, 4])
def test_the_parent_keeps_all_thresholds_and_the_gain_is_the_volume_counted(m):
    rng = np.random.default_rng(m)
    points = rng.dirichlet(np.ones(m), 12) ** 0.7
    history = history_of(problem_of(m), opening(m), [(i % m, p) for i, p in enumerate(points)])
    land = landscape(history, Asked(opening(m)), ())
    step = best_step(land, 0.5)
    assert step is not None
    parent = land.gains[step.parent]
    others = np.arange(m) != step.target
    assert (parent[others] > step.aim[others]).all()
    assert parent[step.target] < step.aim[step.target]
    # the volume by counting random points that the aim dominates and the front does not
    probes = rng.uniform(land.ref, step.aim, (40_000, m))
    free = ~(probes[:, None, :] <= land.gains[None]).all(axis=2).any(axis=1)
    volume = float((step.aim - land.ref).prod()) * free.mean()
    assert step.gain == pytest.approx(volume, rel=0.1)
