from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paretoflow.core.cost import Cost
from paretoflow.core.values import Problem
from paretoflow.front.hypervolume import hypervolume
from paretoflow.proposers.arms import (
    LATEST,
    LATEST_ROWS,
    MOST_POINTS,
    PRIOR,
    ArmOutcome,
    RestoredRuns,
    arm_of,
    gains_of_runs,
    outcomes_of,
    restored,
    signed,
    worths,
)
from tests.histories import history_of, problem_of, weighted


def made_by(arm: str, seed: int = 0):
    return signed(replace(weighted([1, 1], seed, "box"), proposer=arm), arm, "Drawn")


def with_costs(history, seconds):
    runs = zip(history.runs, seconds, strict=True)
    return replace(history, runs=tuple(replace(r, cost=Cost(device_s=s)) for r, s in runs))


ENDS = [weighted([1, 0]), weighted([0, 1])]
END_ROWS = [(0, [1.0, 0.0]), (1, [0.0, 1.0])]
FLAT = Problem(tuple(replace(o, ref=0.0) for o in problem_of(2).objectives))


def test_a_launch_is_signed_and_comes_back_as_its_arm_made_it():
    own = replace(weighted([1, 0], 7, "round:1:a|b"), proposer="cmorl", reason="Because it is.")
    shown = signed(own, "cmorl", "cmorl is drawn")
    assert (shown.proposer, shown.tag) == ("portfolio", "cmorl|round:1:a|b")
    assert shown.reason == "cmorl is drawn: because it is."
    assert arm_of(shown) == "cmorl"
    assert restored(shown) == replace(own, reason=shown.reason)


@pytest.mark.parametrize("tag", ["initial", "spread"])
def test_what_no_arm_chose_stays_as_it_is(tag):
    for proposer in ("portfolio", "cmorl"):
        launch = replace(weighted([1, 0], 0, tag), proposer=proposer)
        assert arm_of(launch) == ""
        assert restored(launch) is launch
    assert arm_of(replace(weighted([1, 0], 0, "a|b"), proposer="cmorl")) == ""


def test_records_are_restored_once_and_anew_when_they_change():
    keeper = RestoredRuns()
    history = history_of(problem_of(2), [*ENDS, made_by("cmorl")], END_ROWS)
    first, again = keeper.of(history), keeper.of(history)
    assert [r.proposal.proposer for r in first.runs] == ["by hand", "by hand", "cmorl"]
    assert all(a is b for a, b in zip(first.runs, again.runs, strict=True))
    charged = with_costs(history, [1.0, 2.0, 3.0])
    assert [r.cost.device_s for r in keeper.of(charged).runs] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(("stderr", "gain"), [(0.0, 0.25), (0.1, 0.16)])
def test_a_gain_by_hand_and_lowered_by_its_errors(stderr, gain):
    rows = [*END_ROWS, (2, [0.5, 0.5])]
    (outcome,) = outcomes_of(history_of(FLAT, [*ENDS, made_by("cmorl")], rows, stderr=stderr))
    assert outcome.gain == pytest.approx(gain)
    assert (outcome.arm, outcome.cost) == ("cmorl", 1.0)


def test_rows_count_in_the_order_of_the_ledger_and_add_up_to_the_whole_front():
    rng = np.random.default_rng(0)
    done = [*ENDS, *(made_by(f"arm{i % 2}", i) for i in range(6))]
    rows = [*END_ROWS]
    for _ in range(30):
        rows.append((int(rng.integers(-2, 8)), (rng.dirichlet(np.ones(2)) ** 0.6).tolist()))
    history = history_of(FLAT, done, rows)
    runs = [*range(-2, 8)]
    gains = gains_of_runs(history, runs)
    assert sum(gains) == pytest.approx(hypervolume(history.gains, history.ref))
    seen, by_hand = 0.0, dict.fromkeys(runs, 0.0)
    for count, (run, _) in enumerate(rows, 1):
        whole = hypervolume(history.gains[:count], history.ref)
        by_hand[run] += whole - seen
        seen = whole
    assert gains == pytest.approx([by_hand[run] for run in runs])


def test_costs_are_shares_of_the_mean_and_a_run_without_one_is_average():
    done = [*ENDS, made_by("a"), made_by("b"), made_by("b")]
    history = history_of(problem_of(2), done, END_ROWS, failed=[4])
    costs = [o.cost for o in outcomes_of(with_costs(history, [9.0, 9.0, 30.0, 10.0, 0.0]))]
    assert costs == [1.5, 0.5, 1.0]


def test_a_failed_launch_is_worth_nothing_and_only_the_latest_are_rated():
    done = [*ENDS, *(made_by("a", i) for i in range(LATEST + 9))]
    history = history_of(problem_of(2), done, END_ROWS, failed=range(2, len(done)))
    outcomes = outcomes_of(history)
    assert len(outcomes) == LATEST
    assert {o.gain for o in outcomes} == {0.0}
    assert outcomes_of(history_of(problem_of(2), ENDS, END_ROWS)) == []


def test_a_launch_first_evaluated_long_ago_is_not_rated():
    rows = [*END_ROWS, (2, [0.5, 0.5]), *[(3, [0.1, 0.1])] * (LATEST_ROWS - 1), (2, [0.6, 0.6])]
    done = [*ENDS, made_by("a"), made_by("b")]
    assert [o.arm for o in outcomes_of(history_of(FLAT, done, rows))] == ["b"]
    assert [o.arm for o in outcomes_of(history_of(FLAT, done, rows[:-1]))] == ["a", "b"]


def test_a_large_front_is_thinned_before_the_first_rated_launch():
    x = np.linspace(0, 1, 3 * MOST_POINTS)
    rows = [(0, [v, float(np.sqrt(1 - v * v))]) for v in x.tolist()]
    history = history_of(FLAT, [*ENDS, made_by("a")], [*rows, (2, [0.75, 0.75])])
    whole = hypervolume(history.gains, history.ref) - hypervolume(history.gains[:-1], history.ref)
    (outcome,) = outcomes_of(history)
    # points left out can only make the gain look larger
    assert whole <= outcome.gain < 1.4 * whole


def test_draws_by_hand():
    outcomes = [ArmOutcome("a", 0.3, 1.0), ArmOutcome("b", 0.1, 1.0)]
    draws = [worths(outcomes, ("a", "b"), 1.0, seed) for seed in range(4000)]
    # 1 / G with G of shape k has the mean 1 / (k - 1)
    assert np.mean([d["a"] for d in draws]) == pytest.approx((PRIOR * 0.2 + 0.3) / 2, rel=0.05)
    assert np.mean([d["b"] for d in draws]) == pytest.approx((PRIOR * 0.2 + 0.1) / 2, rel=0.05)


def test_the_arm_that_gained_most_per_cost_is_drawn_most_but_not_always():
    outcomes = [
        ArmOutcome(arm, gain, cost) for arm, gain, cost in [("a", 0.4, 4), ("b", 0.2, 1)] * 8
    ]
    drawn = [worths(outcomes, ("a", "b"), 0.95, seed) for seed in range(300)]
    wins = sum(d["b"] > d["a"] for d in drawn)
    assert 200 < wins < 300


def test_what_is_long_ago_is_forgotten():
    old = [ArmOutcome("a", 0.9, 1.0)] * 5
    new = [ArmOutcome("b", 0.2, 1.0)] * 30
    drawn = [worths([*old, *new], ("a", "b"), 0.8, seed) for seed in range(300)]
    # nothing speaks for a any more: as an unknown arm, it draws about the mean of all
    assert 60 < sum(d["a"] > d["b"] for d in drawn) < 240


def test_neither_the_order_of_the_arms_nor_other_arms_change_a_draw():
    outcomes = [ArmOutcome("a", 0.3, 1.0), ArmOutcome("b", 0.1, 2.0)]
    draws = worths(outcomes, ("a", "b"), 0.9, 5, "x")
    assert worths(outcomes, ("b", "c", "a"), 0.9, 5, "x")["a"] == draws["a"]
    assert worths(outcomes, ("a", "b"), 0.9, 6, "x") != draws


def test_without_any_gain_all_arms_are_alike():
    none = [ArmOutcome("a", 0.0, 1.0)] * 3
    wins = sum(d["a"] > d["b"] for d in (worths(none, ("a", "b"), 1.0, s) for s in range(300)))
    assert wins < 150
    drawn = [worths([], ("a", "b"), 1.0, s) for s in range(300)]
    assert 110 < sum(d["a"] > d["b"] for d in drawn) < 190
