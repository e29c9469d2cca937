"""Several fronts on the same prompts: by hand, against `difference`, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from paretoflow.core.errors import UserError
from paretoflow.core.evaluation import Evaluation
from paretoflow.core.values import Direction, ObjectiveInfo, Problem
from paretoflow.front.compared import Side
from paretoflow.front.comparison import comparison
from paretoflow.front.difference import difference
from tests.faults import raises

UP, DOWN = Direction.MAXIMIZE, Direction.MINIMIZE
PROBLEM = Problem(tuple(ObjectiveInfo(n, UP, "", 0.0, 4.0, 0.0) for n in ("a", "b")))
PROMPTS = 6


def point(*scores: float, noise: int | None = None, data: str = "prompts") -> Evaluation:
    prompts = np.repeat(np.array(scores)[:, None], PROMPTS, axis=1)
    if noise is not None:
        drawn = np.random.default_rng(noise).normal(size=prompts.shape)
        prompts = prompts + drawn - drawn.mean(axis=1, keepdims=True)
    return Evaluation(
        scores=np.array(scores, dtype=np.float64),
        stderr=np.full(len(scores), 0.1),
        prompt_scores=prompts,
        n=PROMPTS,
        snapshot_id=f"p{scores}",
        data=data,
    )


def side(label: str, *points: Evaluation, problem: Problem = PROBLEM) -> Side:
    return Side(label, label, 0, problem, points)


def compared(sides, *rest, **options):
    """Return how arms of one sweep each compare."""
    return comparison([[each] for each in sides], *rest, **options)


def test_the_case_worked_by_hand():
    one, two = side("one", point(2, 1)), side("two", point(1, 2), point(3, 0.5))
    found = compared([one, two])
    assert [s.hypervolume for s in found.standings] == [2.0, 3.0]
    assert [s.change for s in found.standings] == [0.0, 1.0]
    assert [s.joint for s in found.standings] == pytest.approx([1 / 3, 2 / 3])
    assert (found.joint_points, found.joint_hypervolume) == (3, 3.5)
    # every prompt scores as the mean does: nothing is unsure
    assert found.standings[1].interval == pytest.approx((3, 3))
    assert found.standings[1].change_interval == pytest.approx((1, 1))
    assert found.prompts == PROMPTS


def test_two_fronts_differ_as_diff_says():
    one = side("one", point(2, 1, noise=1), point(1, 3, noise=2))
    two = side("two", point(2.5, 1.5, noise=3))
    told, found = difference(one, two), compared([one, two])
    assert found.standings[1].change == pytest.approx(told.change)
    assert found.standings[1].corrected_change == pytest.approx(told.corrected)
    assert found.standings[1].change_interval == pytest.approx(told.interval)
    assert found.standings[0].interval == pytest.approx(told.a.interval)
    back = compared([one, two], baseline=1)
    assert back.standings[0].change == pytest.approx(-told.change)
    low, high = told.interval or (0, 0)
    assert back.standings[0].change_interval == pytest.approx((-high, -low))
    assert back.standings[1].change_interval == (0, 0)


def test_the_order_of_fronts_and_of_objectives_changes_nothing():
    turned = Problem(PROBLEM.objectives[::-1])
    sides = [
        side("one", point(2, 1)),
        side("two", point(1, 2), point(3, 0.5)),
        side("x", point(1, 1)),
    ]
    moved = dataclasses.replace(sides[1], problem=turned, points=(point(2, 1), point(0.5, 3)))
    found, other = compared(sides), compared([sides[2], moved, sides[0]], baseline=2)
    volumes = [(s.hypervolume, s.joint, s.change) for s in found.standings]
    assert [(s.hypervolume, s.joint, s.change) for s in other.standings] == volumes[::-1]


def test_a_point_that_two_fronts_share_counts_for_both():
    found = compared([side("one", point(2, 1)), side("two", point(2, 1), point(1, 2))])
    assert (found.joint_points, [s.joint for s in found.standings]) == (2, [0.5, 1.0])


def test_scores_to_minimise_count_downwards():
    kinds = (UP, DOWN)
    problem = Problem(
        tuple(ObjectiveInfo(n, d, "", 0, 9, r) for n, d, r in zip("ab", kinds, (0, 9), strict=True))
    )
    sides = [side("one", point(2, 8), problem=problem), side("two", point(2, 6), problem=problem)]
    found = compared(sides)
    assert [s.hypervolume for s in found.standings] == [2.0, 6.0]
    assert [s.joint for s in found.standings] == [0.0, 1.0]


def other_ref(problem: Problem, ref: float) -> Problem:
    first, second = problem.objectives
    return Problem((dataclasses.replace(first, ref=ref), second))


def test_a_common_reference_point_may_be_declared():
    one, two = side("one", point(2, 1)), side("two", point(3, 1), problem=other_ref(PROBLEM, 1.0))
    with raises("usage-not-comparable", "0", "1", "reference") as caught:
        compared([one, two])
    assert caught.value.hint.endswith("--ref a=0")
    found = compared([one, two], ref={"a": -1.0})
    assert [s.hypervolume for s in found.standings] == [3.0, 4.0]
    assert found.problem.objectives[0].ref == -1.0
    with raises("usage-unknown-name", "'c'"):
        compared([one, two], ref={"c": 0.0})


def test_units_that_differ_are_noted_once():
    first, second = PROBLEM.objectives
    words = Problem((dataclasses.replace(first, unit="words"), second))
    others = [side(name, point(1, 1), problem=words) for name in ("two", "three")]
    found = compared([side("one", point(2, 1)), *others])
    assert found.notes[0] == "the unit of a differs: '' and 'words'"
    assert len(found.notes) == 2


def short(of: Evaluation) -> Evaluation:
    return dataclasses.replace(of, prompt_scores=of.prompt_scores[:, :3])


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            side("two", point(1, 2, data="others")),
            "one and two were not scored on the same",
        ),
        (side("two", short(point(1, 2))), "6 with digest prompts, 3 with prompts"),
        (side("two", point(1, 2, data="")), r"p\(1, 2\) in two has no scores on prompts of its"),
        (
            side("two", dataclasses.replace(point(1, 2), prompt_scores=np.empty(0))),
            "in two has no scores on prompts",
        ),
        (side("two"), "the front of two is empty"),
        (
            side("two", point(1), problem=Problem(PROBLEM.objectives[:1])),
            "the objectives differ: a",
        ),
    ],
)
def test_what_does_not_share_an_evaluation_is_refused_by_name(other, said):
    with pytest.raises(UserError, match=said) as caught:
        compared([side("one", point(2, 1)), other])
    assert caught.value.hint


def seeds(arm: str, *values: float, data: str = "prompts {}") -> list[Side]:
    """Return an arm of sweeps with one point each, whose prompts all score alike."""
    return [
        side(f"{arm}{k}", point(value, 1, data=data.format(k))) for k, value in enumerate(values)
    ]


def test_seeds_on_the_same_prompts_are_a_t_test_by_hand():
    """Prompts that agree leave no doubt: arms (1, 3) and (4, 6) have a pooled variance of 2."""
    same = "prompts"
    found = comparison([seeds("a", 1, 3, data=same), seeds("b", 4, 6, data=same)])
    a, b = found.standings
    assert (found.shared, found.seeds, found.notes) == (True, 2, ())
    assert (a.hypervolume, b.hypervolume, b.change, a.joint, b.joint) == (2, 5, 3, 0, 1)
    half = 4.302653 * (2 * (1 / 2 + 1 / 2)) ** 0.5  # t of 2 degrees of freedom
    assert b.change_interval == pytest.approx((3 - half, 3 + half), rel=1e-6)
    alone = 4.302653 * (2 / 2) ** 0.5
    assert b.interval == pytest.approx((5 - alone, 5 + alone), rel=1e-6)
    assert a.interval == pytest.approx((0, 2 + alone), rel=1e-6)  # no volume is negative


def test_seeds_with_prompts_of_their_own_are_paired_seed_by_seed():
    found = comparison([seeds("a", 1, 3, 5), seeds("b", 2, 4, 6)])
    assert not found.shared
    assert found.standings[1].change_interval == pytest.approx((1, 1))  # each by 1, exactly
    apart = comparison([seeds("a", 1, 3, 5), seeds("b", 2, 5, 8)])
    half = 4.302653 * (1 / 3) ** 0.5  # differences 1, 2, 3
    assert apart.standings[1].change_interval == pytest.approx((2 - half, 2 + half), rel=1e-6)


def test_swapping_arms_turns_the_sign():
    arms = [seeds("a", 1, 3, 2), seeds("b", 4, 6, 9)]
    low, high = comparison(arms).standings[1].change_interval
    assert comparison(arms[::-1]).standings[1].change_interval == pytest.approx((-high, -low))


def test_one_seed_each_is_warned_of_and_one_among_several_too():
    (told,) = compared([side("one", point(2, 1)), side("two", point(1, 2))]).notes
    assert told.startswith("one seed each: another seed of training would give other fronts")
    same = "prompts"
    mixed = comparison([seeds("a", 1, 3, data=same), seeds("b", 4, data=same)])
    assert mixed.notes == ("an arm with one seed is given the spread of the others' seeds",)
    low, high = mixed.standings[1].change_interval
    assert high - low == pytest.approx(2 * 12.7062 * (2 * (1 / 2 + 1)) ** 0.5, rel=1e-4)


def test_seeds_in_another_order_than_the_other_arms_are_refused():
    with raises("usage-not-comparable", "a0", "b1") as caught:
        comparison([seeds("a", 1, 3), seeds("b", 4, 6)[::-1]])
    assert "in the same order" in caught.value.hint
