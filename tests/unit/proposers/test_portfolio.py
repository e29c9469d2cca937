from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from pydantic import TypeAdapter

from paretoflow.core.values import LaunchKind
from paretoflow.proposers import TAGS, build, default_arms
from paretoflow.proposers.arms import arm_of, restored
from paretoflow.proposers.portfolio import PortfolioProposer
from paretoflow.spec.proposers import ArmSpec, PortfolioProposerSpec, ProposerSpec
from tests.histories import Front, circle, history_of, problem_of, swept, weighted, zdt1

DONE = [weighted([1, 0]), weighted([0, 1]), weighted([1, 1])]
ROWS = [(0, [0.8, 0.1]), (1, [0.1, 0.8]), (2, [0.5, 0.5])]


def portfolio(*arms: str, m: int = 2, runs: int = 30, **knobs) -> PortfolioProposer:
    spec = PortfolioProposerSpec(type="portfolio", arms=arms or None, **knobs)
    return build(spec, m=m, runs=runs)


def alone(arm: str, m: int = 2, runs: int = 30):
    return build(TypeAdapter(ProposerSpec).validate_python({"type": arm}), m=m, runs=runs)


def test_every_arm_proposes_what_it_would_alone_had_the_others_taken_their_turns():
    chosen = portfolio("cmorl", "empty_box", "cmorl_hv").propose(
        history_of(problem_of(2), DONE, ROWS), (), 12, 3
    )
    assert {arm_of(p) for p in chosen} == {"cmorl", "empty_box", "cmorl_hv"}
    history = history_of(problem_of(2), DONE, ROWS)
    for i, launch in enumerate(chosen):
        before = [restored(p) for p in chosen[:i]]
        (own,) = alone(arm_of(launch)).propose(history, before, 1, 3)
        assert replace(restored(launch), reason=own.reason) == own


def test_a_round_of_cmorl_goes_on_though_others_come_between():
    chosen = portfolio("cmorl", "lattice", runs=40).propose(
        history_of(problem_of(2), DONE, ROWS), (), 20, 1
    )
    rounds = [p.tag for p in chosen if arm_of(p) == "cmorl"]
    assert len({tag.split(":")[1] for tag in rounds[:4]}) == 1
    assert len({(p.parent, p.target) for p in chosen if arm_of(p) == "cmorl"}) == len(rounds)


def test_an_arm_at_its_end_is_passed_over_and_the_reason_says_so():
    short = TypeAdapter(ArmSpec).validate_python({"type": "lattice", "divisions": 1})
    spec = PortfolioProposerSpec(type="portfolio", arms=(short, {"type": "dirichlet"}))
    chosen = build(spec, m=2, runs=30).propose(history_of(problem_of(2), DONE, ROWS), (), 8, 0)
    assert {arm_of(p) for p in chosen} == {"dirichlet"}
    assert any(p.reason.startswith("dirichlet is next, as lattice had nothing") for p in chosen)


def test_none_is_proposed_when_no_arm_has_anything():
    short = {"type": "lattice", "divisions": 1}
    spec = PortfolioProposerSpec(type="portfolio", arms=(short, {"type": "ols", "epsilon": 9.0}))
    done = history_of(problem_of(2), DONE, ROWS)
    assert build(spec, m=2, runs=30).propose(done, (), 3, 0) == []


def test_the_opening_is_nobodys_and_reasons_name_the_arm_and_why_it_was_drawn():
    proposer = portfolio("empty_box", "dirichlet")
    opening = proposer.propose(history_of(problem_of(2)), (), 3, 0)
    assert [(p.proposer, p.tag) for p in opening] == [("portfolio", "initial")] * 3
    (first,) = proposer.propose(history_of(problem_of(2), DONE, ROWS), (), 1, 0)
    arm = arm_of(first)
    assert first.reason.startswith(f"{arm} is drawn, as nothing is known of its launches yet: ")
    rows = [*ROWS, (3, [0.7, 0.4])]
    seen = {
        p.reason
        for seed in range(8)
        for p in proposer.propose(history_of(problem_of(2), [*DONE, first], rows), (), 1, seed)
        if arm_of(p) == arm
    }
    assert seen
    assert all("of the ranges' hypervolume a run: " in reason for reason in seen)


def test_tags_and_blocks_are_both_arms():
    spec = PortfolioProposerSpec(type="portfolio", arms=["ols", {"type": "cmorl", "select": 5}])
    assert spec.arms is not None
    assert [a.type for a in spec.arms] == ["ols", "cmorl"]
    assert spec.arms[1].select == 5


def test_every_arm_that_may_be_is_a_proposer_and_none_wraps_or_merges():
    tags = {get_args(s.model_fields["type"].annotation)[0] for s in get_args(get_args(ArmSpec)[0])}
    assert tags <= set(TAGS)
    assert not tags & {"portfolio", "reevaluate", "soups", "map", "merge_screen"}


@pytest.mark.parametrize("m", [2, 3, 4, 6])
def test_default_arms_need_only_what_the_method_takes(m):
    assert default_arms(m)[0].type == "gp_hvi"
    plain = portfolio_of_weights(m)
    done = [weighted(row) for row in [*np.eye(m), np.ones(m)]]
    rows = [(i, row) for i, row in enumerate((0.2 + 0.6 * np.eye(m)).tolist())]
    chosen = plain.propose(history_of(problem_of(m), done, rows), (), 6, 0)
    assert {p.kind for p in chosen} == {LaunchKind.WEIGHTED}


def portfolio_of_weights(m: int):
    spec = PortfolioProposerSpec(type="portfolio")
    return build(spec, m=m, runs=30, launches=("weighted",))


def test_on_a_concave_front_the_arm_that_reaches_it_gets_most_launches():
    share, launches = swept(portfolio("empty_box", "dirichlet", runs=40), Front(circle()), 40)
    arms = [arm_of(p) for p in launches if arm_of(p)]
    assert arms.count("empty_box") > arms.count("dirichlet")
    assert share > 0.9


def test_with_noise_and_several_workers_it_is_not_far_behind_its_arms():
    oracle = Front(zdt1(), noise=0.02)
    share, _ = swept(portfolio("empty_box", "cmorl_hv", runs=20), oracle, 20, workers=4)
    assert share > 0.93


def test_the_turn_of_an_arm_that_waits_for_the_opening_is_not_taken_by_another():
    one = history_of(problem_of(2), DONE[:1], ROWS[:1])
    proposer = portfolio("cmorl_hv", "pg_predict", runs=8)
    chosen = [proposer.propose(one, DONE[1:], 5, seed) for seed in range(12)]
    # with one policy there is no gap yet; training it on is for turns that pg_predict has drawn
    assert [] in chosen
    assert {arm_of(p) for launches in chosen for p in launches} == {"pg_predict"}
    assert all(" is drawn" in p.reason for launches in chosen for p in launches)


def continuing(history, count: int = 12, pending=()) -> list[bool]:
    chosen = portfolio("gp_hvi", "pg_predict").propose(history, pending, count, 0)
    return [arm_of(p) == "pg_predict" for p in chosen]


def test_policies_are_trained_on_only_while_that_brings_them_further():
    problem = problem_of(2)
    risen = [*ROWS, (2, [0.6, 0.6])]
    assert any(continuing(history_of(problem, DONE, risen)))
    still = [*ROWS, (2, [0.5, 0.5])]
    assert not any(continuing(history_of(problem, DONE, still)))


def test_before_anything_was_trained_on_one_launch_at_a_time_tries_it():
    history = history_of(problem_of(2), DONE, ROWS)
    assert sum(continuing(history)) == 1
