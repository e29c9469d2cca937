"""What leads a portfolio while little is known: whether runs arrive, and what is lifted outward."""

from __future__ import annotations

import numpy as np
import pytest

from paretoflow.core.values import LaunchKind
from paretoflow.proposers import build
from paretoflow.proposers.arms import arm_of
from paretoflow.proposers.arrival import ends_of
from paretoflow.proposers.asked import Asked
from paretoflow.proposers.lead import PUSH, PUSHES, leading_arm, push_launch
from paretoflow.spec.proposers import AutoProposerSpec, PortfolioProposerSpec
from tests.histories import Front, circle, history_of, problem_of, swept, weighted, zdt1

DONE = [weighted([1, 0]), weighted([0, 1]), weighted([1, 1])]
STILL = [(0, [0.9, 0.0]), (0, [0.9, 0.0]), (1, [0.0, 0.9]), (1, [0.0, 0.9])]
OUT = [(2, [0.3, 0.2]), (2, [0.5, 0.4])]
ALONG = [(2, [0.6, 0.2]), (2, [0.9, 0.1])]
THERE = [(2, [0.5, 0.5]), (2, [0.5, 0.5])]


def auto(m: int = 2, runs: int = 12, **knobs: int):
    return build(AutoProposerSpec(**knobs), m=m, runs=runs)


def test_runs_that_still_rise_have_not_arrived_by_hand() -> None:
    problem = problem_of(2)
    # towards (1, 0), (0, 1) and (.5, .5): rises of 0, 0 and .2, so .067 in the mean
    assert ends_of(history_of(problem, DONE, [*STILL, *OUT])).rising
    assert not ends_of(history_of(problem, DONE, [*STILL, *THERE])).rising
    # with errors of .1 a rise of .067 may be luck
    assert not ends_of(history_of(problem, DONE, [*STILL, *OUT], stderr=0.1)).rising
    assert not ends_of(history_of(problem, DONE, STILL[::2])).rising  # one checkpoint tells nothing
    assert not ends_of(history_of(problem)).rising


def test_a_policy_that_rose_and_gave_nothing_up_moves_outward() -> None:
    problem = problem_of(2)
    assert ends_of(history_of(problem, DONE, [*STILL, *OUT])).outward().tolist() == [5]
    assert not len(ends_of(history_of(problem, DONE, [*STILL, *ALONG])).outward())
    assert not len(ends_of(history_of(problem, DONE, [*STILL, *OUT], stderr=0.2)).outward())


def test_noise_may_hide_a_fall_unless_it_is_to_be_sure() -> None:
    problem = problem_of(2)
    slightly = [(2, [0.3, 0.4]), (2, [0.9, 0.36])]
    ends = ends_of(history_of(problem, DONE, [*STILL, *slightly], stderr=0.05))
    assert ends.outward().tolist() == [5]
    assert not len(ends.outward(surely=True))
    sure = ends_of(history_of(problem, DONE, [*STILL, *OUT], stderr=0.02))
    assert sure.outward(surely=True).tolist() == [5]


def test_a_policy_is_lifted_for_what_it_lacks_then_for_the_other_and_then_no_more() -> None:
    history = history_of(problem_of(2), DONE, [*STILL, *OUT])
    asked, found = Asked(DONE), []
    while (launch := push_launch(history, asked, ends_of(history), 0)) is not None:
        found.append(launch)
        asked.extend([launch])
    assert [p.target for p in found] == [1, 0]
    assert {p.parent for p in found} == {history.snapshot_ids[5]}
    # the other objective keeps its gain but for a twentieth of the range; the target's is to pass
    assert found[0].thresholds == pytest.approx((0.45, 0.4))
    assert {p.tag for p in found} == {PUSH}


def test_no_more_than_so_many_are_lifted() -> None:
    launches = [weighted([1, k]) for k in range(1, 6)]
    rows = [(i, [g * (0.2 + i / 10)] * 2) for i in range(5) for g in (0.5, 1.0)]
    history = history_of(problem_of(2), launches, rows)
    asked = Asked(launches)
    for _ in range(PUSHES):
        launch = push_launch(history, asked, ends_of(history), 0)
        assert launch is not None
        asked.extend([launch])
    assert push_launch(history, asked, ends_of(history), 0) is None


def test_who_leads_depends_on_whether_runs_arrive_and_on_the_objectives() -> None:
    done = [weighted(w) for w in [*np.eye(3), np.ones(3)]]
    still = [(i, (0.9 * np.eye(3)[i]).tolist()) for i in range(3) for _ in range(2)]
    rising = history_of(problem_of(3), done, [*still, (3, [0.2] * 3), (3, [0.6] * 3)])
    arrived = history_of(problem_of(3), done, [*still, (3, [0.6] * 3), (3, [0.6] * 3)])
    assert {leading_arm(ends_of(rising), 3, place) for place in range(9)} == {"empty_box"}
    assert {leading_arm(ends_of(arrived), 3, place) for place in range(9)} == {"gp_hvi"}
    two = ends_of(history_of(problem_of(2), DONE, [*STILL, *OUT]))
    assert [leading_arm(two, 2, place) for place in range(4)] == ["empty_box"] * 2 + [""] * 2
    for history, arm in ((rising, "empty_box"), (arrived, "gp_hvi")):
        (launch,) = auto(3).propose(history, (), 1, 0)
        assert arm_of(launch) == arm
        assert launch.reason.startswith(f"{arm} leads while little is known")


def test_auto_follows_its_rule_for_so_many_launches_and_then_lets_arms_compete() -> None:
    _, launches = swept(auto(runs=40, lead=6), Front(zdt1()), 40)
    arms = [arm_of(p) for p in launches]
    assert arms[:3] == [""] * 3
    assert set(arms[3:9]) == {"gp_hvi"}
    assert len(set(arms[9:])) > 1


def test_no_lead_is_what_a_portfolio_did_before() -> None:
    history = history_of(problem_of(2), DONE, [*STILL, *OUT])
    plain = build(PortfolioProposerSpec(type="portfolio"), m=2, runs=30)
    assert auto(runs=30, lead=0).propose(history, (), 6, 1) == plain.propose(history, (), 6, 1)


def test_on_a_small_budget_a_concave_front_is_reached() -> None:
    share, launches = swept(auto(), Front(circle()), 12)
    assert share > 0.85
    assert sum(p.kind is LaunchKind.CONSTRAINED for p in launches) >= 6
