"""Several fronts on the same prompts: by hand, against `difference`, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from paretoflow.core.errors import UserError
from paretoflow.core.values import Direction, ObjectiveInfo, Problem
from paretoflow.front.compared import Side, SidePoint
from paretoflow.front.comparison import comparison
from paretoflow.front.difference import difference

UP, DOWN = Direction.MAXIMIZE, Direction.MINIMIZE
PROBLEM = Problem(tuple(ObjectiveInfo(n, UP, "", 0.0, 4.0, 0.0) for n in ("a", "b")))
PROMPTS = 6


def point(*scores: float, noise: int | None = None, data: str = "prompts") -> SidePoint:
    prompts = np.repeat(np.array(scores)[:, None], PROMPTS, axis=1)
    if noise is not None:
        drawn = np.random.default_rng(noise).normal(size=prompts.shape)
        prompts = prompts + drawn - drawn.mean(axis=1, keepdims=True)
    return SidePoint(f"p{scores}", "", scores, (0.1,) * len(scores), prompts, data)


def side(label: str, *points: SidePoint, problem: Problem = PROBLEM) -> Side:
    return Side(label, label, 0, problem, points)


def test_the_case_worked_by_hand():
    one, two = side("one", point(2, 1)), side("two", point(1, 2), point(3, 0.5))
    found = comparison([one, two])
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
    told, found = difference(one, two), comparison([one, two])
    assert found.standings[1].change == told.change
    assert found.standings[1].change_interval == pytest.approx(told.interval)
    assert found.standings[0].interval == pytest.approx(told.a.interval)
    back = comparison([one, two], baseline=1)
    assert back.standings[0].change == -told.change
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
    found, other = comparison(sides), comparison([sides[2], moved, sides[0]], baseline=2)
    volumes = [(s.hypervolume, s.joint, s.change) for s in found.standings]
    assert [(s.hypervolume, s.joint, s.change) for s in other.standings] == volumes[::-1]


def test_a_point_that_two_fronts_share_counts_for_both():
    found = comparison([side("one", point(2, 1)), side("two", point(2, 1), point(1, 2))])
    assert (found.joint_points, [s.joint for s in found.standings]) == (2, [0.5, 1.0])


def test_scores_to_minimise_count_downwards():
    kinds = (UP, DOWN)
    problem = Problem(
        tuple(ObjectiveInfo(n, d, "", 0, 9, r) for n, d, r in zip("ab", kinds, (0, 9), strict=True))
    )
    sides = [side("one", point(2, 8), problem=problem), side("two", point(2, 6), problem=problem)]
    found = comparison(sides)
    assert [s.hypervolume for s in found.standings] == [2.0, 6.0]
    assert [s.joint for s in found.standings] == [0.0, 1.0]


def other_ref(problem: Problem, ref: float) -> Problem:
    first, second = problem.objectives
    return Problem((dataclasses.replace(first, ref=ref), second))


def test_a_common_reference_point_may_be_declared():
    one, two = side("one", point(2, 1)), side("two", point(3, 1), problem=other_ref(PROBLEM, 1.0))
    with pytest.raises(
        UserError, match="reference points of one and two differ: a 0 and 1"
    ) as caught:
        comparison([one, two])
    assert caught.value.hint.endswith("--ref a=0")
    found = comparison([one, two], ref={"a": -1.0})
    assert [s.hypervolume for s in found.standings] == [3.0, 4.0]
    assert found.problem.objectives[0].ref == -1.0
    with pytest.raises(UserError, match="got a reference value for 'c'; allowed: a, b"):
        comparison([one, two], ref={"c": 0.0})


def test_units_that_differ_are_noted_once():
    first, second = PROBLEM.objectives
    words = Problem((dataclasses.replace(first, unit="words"), second))
    others = [side(name, point(1, 1), problem=words) for name in ("two", "three")]
    found = comparison([side("one", point(2, 1)), *others])
    assert found.notes == ("the unit of a differs: '' and 'words'",)


def short(of: SidePoint) -> SidePoint:
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
        comparison([side("one", point(2, 1)), other])
    assert caught.value.hint
