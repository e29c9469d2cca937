from __future__ import annotations

import numpy as np
import pytest

from paretoflow.core.values import LaunchKind
from paretoflow.proposers.cmorl import CmorlProposer, ranked_policies
from paretoflow.spec.proposers import CmorlProposerSpec
from tests.histories import history_of, problem_of, weighted

THREE = [(0, [0.0, 10.0]), (1, [4.0, 7.0]), (2, [9.0, 1.0])]
DONE = [weighted([0, 1]), weighted([0.5, 0.5]), weighted([1, 0])]
TENS = problem_of(2, 0.0, 10.0)
NAMES = ["r0000-a0-s0000", "r0001-a0-s0001", "r0002-a0-s0002"]


def propose(rows, pending=(), done=DONE, count=1, **knobs):
    proposer = CmorlProposer(CmorlProposerSpec(type="cmorl", **knobs), m=2, runs=30)
    return proposer.propose(history_of(TENS, done, rows), pending, count, 0)


def test_a_round_extends_the_extremes_first_in_each_objective():
    chosen = propose(THREE, count=9)
    assert [(p.parent, p.target) for p in chosen] == [
        (NAMES[2], 0),
        (NAMES[2], 1),
        (NAMES[0], 0),
        (NAMES[0], 1),
        (NAMES[1], 0),
        (NAMES[1], 1),
    ]
    # all policies were selected and launches are pending: nothing more before one ends
    assert [p.tag.split(":")[1] for p in chosen] == ["1"] * 4 + ["2"] * 2
    assert {p.kind for p in chosen} == {LaunchKind.CONSTRAINED}


def test_thresholds_are_frozen_at_the_parent_less_the_slack():
    chosen = propose(THREE, count=2)
    assert chosen[0].thresholds == pytest.approx((9.0, 1 - 0.5))
    assert chosen[1].thresholds == pytest.approx((9 - 0.5, 1.0))
    assert "the front's best in coverage: raises brevity, keeping coverage at least 8.5" in (
        chosen[1].reason
    )


def test_weights_start_between_the_parent_and_the_target():
    chosen = propose(THREE, count=2)
    assert chosen[0].weights.array == pytest.approx([1.0, 0.0])
    assert chosen[1].weights.array == pytest.approx([0.5, 0.5])


def test_multiplicative_slack_is_the_papers_and_tightens_negative_gains():
    chosen = propose([(0, [-4.0, 5.0]), (1, [-10.0, 8.0])], count=2, beta=0.9)
    assert chosen[0].thresholds == pytest.approx((-4.0, 4.5))
    # the trap: the parent's own gain of -4 does not keep -3.6
    assert chosen[1].thresholds == pytest.approx((-3.6, 5.0))


def test_crowding_decides_behind_the_extremes():
    rows = [(0, [0.0, 10.0]), (1, [1.0, 9.0]), (1, [2.0, 8.5]), (1, [6.0, 4.0]), (2, [9.0, 0.0])]
    history = history_of(TENS, DONE, rows)
    # by hand: crowding of rows 1, 2, 3 is 2/9 + 1.5/10, 5/9 + 5/10 and 7/9 + 8.5/10
    assert ranked_policies(history) == [4, 0, 3, 2, 1]


def test_the_base_is_a_neighbour_but_never_a_parent():
    rows = [(-1, [5.0, 6.0]), *THREE]
    assert 0 not in ranked_policies(history_of(TENS, DONE, rows))
    ruled = [(-1, [10.0, 10.0]), *THREE]
    assert ranked_policies(history_of(TENS, DONE, ruled)) == [3, 1, 2]


def test_a_round_keeps_its_parents_while_the_front_moves_on():
    first = propose(THREE, count=1)
    better = [*THREE, (3, [9.5, 2.0])]
    rest = propose(better, done=[*DONE, *first], count=3)
    assert [(p.parent, p.target) for p in rest] == [(NAMES[2], 1), (NAMES[0], 0), (NAMES[0], 1)]
    (fresh,) = propose(better, done=[*DONE, *first, *rest], count=1)
    assert fresh.parent == "r0003-a0-s0003"
    assert fresh.tag == f"round:2:r0003-a0-s0003,{NAMES[1]}"


def test_a_tie_with_a_selected_policy_is_not_selected_again():
    asked = propose(THREE, count=6)
    twin = [*THREE, (3, [9.0, 1.0])]
    chosen = propose(twin, pending=asked[-1:], done=[*DONE, *asked[:-1]], count=1)
    assert chosen == []


def test_when_nothing_new_turns_up_the_longest_untouched_are_taken_again():
    asked = propose(THREE, count=6)
    again = propose(THREE, done=[*DONE, *asked], count=4)
    assert [p.parent for p in again] == [NAMES[2], NAMES[2], NAMES[0], NAMES[0]]
    assert all("Round 3" in p.reason for p in again)
    assert not {p.seed for p in again} & {p.seed for p in asked}
    once_more = propose(THREE, done=[*DONE, *asked, *again], count=1)
    assert once_more[0].parent == NAMES[1]


def test_an_objective_without_spread_does_not_break_the_crowding():
    rows = [(0, [5.0, 1.0]), (1, [5.0, 1.0]), (2, [5.0, 1.0])]
    with np.errstate(all="raise"):
        chosen = propose(rows, count=2)
    assert [p.target for p in chosen] == [0, 1]


def test_a_parent_that_the_history_does_not_know_is_left_out():
    asked = propose(THREE, count=1)
    (chosen,) = propose(THREE[:2], done=[*DONE, *asked], count=1)
    assert chosen.parent == NAMES[0]
