"""What leads a portfolio while little is known: what each kind of launch promises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paretoflow.core.values import LaunchKind
from paretoflow.proposers import build
from paretoflow.proposers.arms import arm_of
from paretoflow.proposers.arrival import Further, ends_of, further_of
from paretoflow.proposers.asked import Asked
from paretoflow.proposers.lead import CONTINUING, GAPS, MODEL, Prospects
from paretoflow.spec.proposers import AutoProposerSpec, PortfolioProposerSpec
from tests.histories import Front, circle, history_of, problem_of, swept, weighted, zdt1

DONE = [weighted([1, 0]), weighted([0, 1]), weighted([1, 1])]
STILL = [(0, [0.9, 0.0]), (0, [0.9, 0.0]), (1, [0.0, 0.9]), (1, [0.0, 0.9])]
OUT = [(2, [0.3, 0.2]), (2, [0.5, 0.4])]
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


def further(history) -> Further:
    return further_of(history, ends_of(history).left)


def test_a_further_run_adds_what_the_halves_so_far_leave_by_hand() -> None:
    problem, end, alone = problem_of(2), np.array([[0.7, 0.1]]), (1.0, 0.0)
    base = (-1, [0.1, 0.1])
    # towards (1, 0): .4 to half-way and .2 to the end, so half is left: .2 * (.5 + .25) = .15
    half = [(0, [0.5, 0.1]), (0, [0.7, 0.1])]
    history = history_of(problem, DONE[:1], [base, *half])
    assert ends_of(history).left == pytest.approx(0.5)
    assert further(history).after(end, alone)[0] == pytest.approx([0.15, 0.0])
    assert further(history).after(end, (0.0, 1.0))[0] == pytest.approx([0.0, 0.0])
    # a standard error is taken off each change: of the difference, sqrt(2) times that of a score
    noisy = history_of(problem, DONE[:1], [base, *half], stderr=0.1 / 2**0.5)
    assert further(noisy).after(end, alone)[0] == pytest.approx([0.075, 0.0])
    # all that rose, rose early; or the base tells nothing
    there = [(0, [0.7, 0.1]), (0, [0.7, 0.1])]
    assert ends_of(history_of(problem, DONE[:1], [base, *there])).left == 0.0
    assert ends_of(history_of(problem, DONE[:1], half)).left == 0.5
    assert further(history_of(problem)).options() == []


def test_what_training_on_did_counts_more_near_where_it_began() -> None:
    first = weighted([1, 0])
    rows = [(-1, [0.1, 0.1]), (0, [0.5, 0.1]), (0, [0.7, 0.1])]
    name = history_of(problem_of(2), [first], rows).snapshot_ids[2]
    again = replace(first, parent=name, tag="predicted")
    history = history_of(problem_of(2), [first, again], [*rows, (1, [0.71, 0.1])])
    # it should have added .15, and added .01
    known, alone = further(history), (1.0, 0.0)
    assert known.after(np.array([[0.7, 0.1]]), alone)[0] == pytest.approx([0.01, 0.0])
    assert len(known.places) == 2


def prospects_of(history, pending=()) -> Prospects:
    asked = Asked([*(run.proposal for run in history.runs), *pending])
    return Prospects(history, asked, pending, 0)


def test_a_policy_is_trained_on_while_runs_end_before_they_arrive_by_hand() -> None:
    # even weights rose from (0, 0) to (.2, .2) to (.4, .4): all is left, another run adds (.4, .4)
    rows = [(-1, [0.0, 0.0]), (0, [0.2, 0.2]), (0, [0.4, 0.4])]
    history = history_of(problem_of(2), [weighted([1, 1])], rows)
    best = prospects_of(history).best([CONTINUING])
    assert best is not None
    # against a reference of -.1 that is .9 * .9 less .5 * .5
    assert best.gain == pytest.approx(0.56)
    assert (best.arm, best.proposal.parent) == (CONTINUING, history.snapshot_ids[2])
    assert best.proposal.kind is LaunchKind.WEIGHTED
    assert best.proposal.weights.values == (0.5, 0.5)
    assert prospects_of(history).best([MODEL, GAPS]).arm in (MODEL, GAPS)


def test_what_is_under_way_is_not_promised_again_and_is_believed() -> None:
    rows = [(-1, [0.0, 0.0]), (0, [0.2, 0.2]), (0, [0.4, 0.4])]
    history = history_of(problem_of(2), [weighted([1, 1])], rows)
    first = prospects_of(history).best([CONTINUING])
    assert first is not None
    again = prospects_of(history, (first.proposal,)).best([CONTINUING])
    assert again is None or again.proposal.parent != first.proposal.parent


def test_nothing_is_promised_beyond_the_ideal() -> None:
    rows = [(-1, [0.0, 0.0]), (0, [0.4, 0.4]), (0, [0.8, 0.8])]
    history = history_of(problem_of(2), [weighted([1, 1])], rows)
    best = prospects_of(history).best([CONTINUING])
    assert best is not None
    assert best.gain == pytest.approx(1.1**2 - 0.9**2)  # (1, 1), not (1.6, 1.6)


def test_where_runs_arrive_gaps_and_weights_promise_more_than_training_on() -> None:
    still = [(i, (0.9 * np.eye(2)[i]).tolist()) for i in range(2) for _ in range(2)]
    base = (-1, [0.0, 0.0])
    arrived = history_of(problem_of(2), DONE, [base, *still, (2, [0.5, 0.5]), (2, [0.5, 0.5])])
    (launch,) = auto().propose(arrived, (), 1, 0)
    assert arm_of(launch) in (MODEL, GAPS)
    assert "promises most" in launch.reason
    climb = [(i, (g * np.eye(2)[i]).tolist()) for i in range(2) for g in (0.3, 0.6)]
    rising = history_of(problem_of(2), DONE, [base, *climb, (2, [0.2, 0.2]), (2, [0.4, 0.4])])
    (launch,) = auto().propose(rising, (), 1, 0)
    assert arm_of(launch) == CONTINUING


def test_permuting_objectives_permutes_the_promise() -> None:
    rng = np.random.default_rng(3)
    weights = np.vstack([np.eye(3), np.full(3, 1 / 3)])
    rows = [(-1, np.zeros(3))]
    for run, w in enumerate(weights):
        for part in (0.3, 0.5):
            rows.append((run, part * (w + 0.2) + 0.05 * rng.random(3)))
    order = np.array([2, 0, 1])
    plain = history_of(problem_of(3), [weighted(w) for w in weights], rows)
    turned = history_of(
        problem_of(3), [weighted(w[order]) for w in weights], [(r, g[order]) for r, g in rows]
    )
    for arm in (MODEL, GAPS, CONTINUING):
        first, second = (prospects_of(h).best([arm]) for h in (plain, turned))
        assert first is not None
        assert second is not None
        assert first.gain == pytest.approx(second.gain, rel=1e-4)
        assert first.proposal.parent == second.proposal.parent


def test_a_corner_that_failed_is_made_again_first() -> None:
    rows = [(1, [0.0, 0.9]), (2, [0.5, 0.5])]
    history = history_of(problem_of(2), DONE, rows, failed=[0])
    best = prospects_of(history).best([MODEL, GAPS])
    assert best is not None
    assert best.proposal.tag == "extreme"
    assert best.proposal.weights.values == (1.0, 0.0)


def test_auto_follows_its_rule_for_so_many_launches_and_then_lets_arms_compete() -> None:
    _, launches = swept(auto(runs=40, lead=6), Front(zdt1()), 40)
    arms = [arm_of(p) for p in launches]
    assert arms[:3] == [""] * 3
    assert set(arms[3:9]) <= {MODEL, GAPS}  # runs that arrive are not trained on
    assert all("promises most" in p.reason for p in launches[3:9])
    assert len(set(arms[9:])) > 1


def test_no_lead_is_what_a_portfolio_did_before() -> None:
    history = history_of(problem_of(2), DONE, [*STILL, *OUT])
    plain = build(PortfolioProposerSpec(type="portfolio"), m=2, runs=30)
    assert auto(runs=30, lead=0).propose(history, (), 6, 1) == plain.propose(history, (), 6, 1)


def test_on_a_small_budget_a_concave_front_is_reached() -> None:
    share, launches = swept(auto(), Front(circle()), 12)
    assert share > 0.85
    assert sum(p.kind is LaunchKind.CONSTRAINED for p in launches) >= 6
