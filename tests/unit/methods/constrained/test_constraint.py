"""Thresholds of a constrained launch, and the choice of the policy that is its result."""

from __future__ import annotations

import numpy as np
import pytest

from paretoflow.core.errors import NonFiniteError
from paretoflow.core.values import LaunchKind, Proposal, WeightVector
from paretoflow.methods.constrained.constraint import Constraint, ParentComparison, paired
from paretoflow.methods.constrained.settling import Looks, search
from tests.faults import raises

EVEN = np.ones(2)


def constraint(allowed=-0.1, caution=0.0) -> Constraint:
    return Constraint(0, np.array([-np.inf, allowed]), EVEN, caution)


def look(gain, kept, step=1, stderr=0.0) -> ParentComparison:
    return ParentComparison(step, np.array([gain, kept]), np.array([0.0, stderr]))


def test_a_look_is_paired_by_hand():
    found = paired(3, np.array([[3.0], [5.0]]), np.array([[2.0], [2.0]]))
    assert (found.step, found.change.tolist(), found.stderr.tolist()) == (3, [2.0], [1.0])


def test_what_prompts_share_does_not_count():
    """A parent below its own threshold on the prompts looked at is no infeasible parent."""
    rng = np.random.default_rng(0)
    level = rng.normal(-5, 3, (40, 2))
    found = paired(1, level + 0.25, level)
    np.testing.assert_allclose(found.change, 0.25)
    np.testing.assert_allclose(found.stderr, 0, atol=1e-12)


def test_one_prompt_says_nothing_of_its_error():
    assert paired(1, np.ones((1, 2)), np.zeros((1, 2))).stderr.tolist() == [0.0, 0.0]


def test_looks_of_other_prompts_are_refused():
    with raises("shape", "validation gains"):
        paired(1, np.zeros((3, 2)), np.zeros((2, 2)))
    with pytest.raises(NonFiniteError):
        paired(1, np.array([[np.nan]]), np.zeros((1, 1)))


def test_a_threshold_is_a_change_from_the_parent():
    proposal = Proposal(
        LaunchKind.CONSTRAINED,
        WeightVector((0.5, 0.5)),
        0,
        "",
        "",
        target=0,
        thresholds=(9.0, 0.4),
    )
    found = Constraint.of(proposal, np.array([1.0, 2.0]), np.array([0.0, 0.5]))
    assert found.allowed.tolist() == [-np.inf, pytest.approx(-0.1)]
    assert found.feasible_start
    assert found.room(look(0, -0.3))[1] == pytest.approx(-0.1)
    assert not Constraint.of(proposal, EVEN, np.array([0.0, 0.3])).feasible_start


def test_a_weighted_launch_keeps_nothing():
    proposal = Proposal(LaunchKind.WEIGHTED, WeightVector((0.5, 0.5)), 0, "", "")
    assert not Constraint.of(proposal, EVEN, None).active


def test_caution_asks_for_more_than_the_bound():
    assert constraint().kept(look(0, -0.1))
    assert not constraint(caution=1.0).kept(look(0, -0.1, stderr=0.05))
    assert constraint(caution=1.0).kept(look(0, -0.05, stderr=0.05))


def test_what_keeps_all_is_better_then_the_target_then_the_miss():
    asked = constraint()
    kept, more, missed, worse = look(0, 0), look(0.2, -0.1), look(1, -0.2), look(2, -0.3)
    assert asked.better(more, kept)
    assert not asked.better(missed, kept)
    assert asked.better(missed, worse)
    assert not asked.better(worse, missed)
    assert asked.better(look(0, 0, step=2), kept)  # of equals the later one


def test_the_best_and_what_lies_beyond_are_kept_apart():
    seen = Looks(constraint())
    assert seen.take(look(0, 0, step=0)) == (True, False)
    assert seen.take(look(0.5, -0.3)) == (False, True)
    assert seen.take(look(0.1, -0.05)) == (True, False)
    assert seen.take(look(0.4, -0.2)) == (False, False)
    assert seen.best is not None
    assert seen.beyond is not None
    assert (seen.best.change[0], seen.beyond.change[0]) == (0.1, 0.5)


def straight(low: ParentComparison, high: ParentComparison, asked: list[float]):
    def measure(share: float) -> ParentComparison:
        asked.append(share)
        change = low.change + share * (high.change - low.change)
        return ParentComparison(9, change, np.zeros(2), share)

    return measure


def test_the_mixture_of_the_docstring():
    shares: list[float] = []
    low, high = look(0, 0, step=0), look(1.0, -0.2)
    asked = constraint(-0.06)
    found = search(asked, low, high, 1, straight(low, high, shares))
    assert shares == [pytest.approx(0.3)]
    assert found.share == pytest.approx(0.3)
    assert asked.kept(found)


def test_a_search_below_ends_at_what_keeps_all():
    """Scores that fall at once and then level off: the straight line is far too hopeful."""
    low, high, asked = look(0, 0, step=0), look(1.0, -0.2), constraint(-0.06)

    def measure(share: float) -> ParentComparison:
        return ParentComparison(9, np.array([share, -0.2 * share**0.3]), np.zeros(2), share)

    found = search(asked, low, high, 6, measure)
    assert asked.kept(found)
    assert 0 < found.share <= 0.3 ** (1 / 0.3)  # where 0.2 s^0.3 is 0.06


def test_no_mixture_that_keeps_all_gives_the_nearest():
    low, high, asked = look(0, 0, step=0), look(1.0, -0.5), constraint(0.0)

    def measure(share: float) -> ParentComparison:
        return ParentComparison(9, np.array([share, -0.5 * share]), np.zeros(2), share)

    found = search(asked, low, high, 3, measure)
    assert found.share == pytest.approx(0.1**3)
    assert not asked.kept(found)


def test_without_checks_the_best_that_was_trained_stays():
    low, high = look(0.1, 0, step=4), look(1.0, -0.5)
    assert search(constraint(), low, high, 0, lambda share: high) is low
