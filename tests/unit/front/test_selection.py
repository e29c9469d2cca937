from __future__ import annotations

import dataclasses

import pytest

from paretoflow.core.errors import UserError
from paretoflow.core.values import Problem
from paretoflow.core.views import FrontView
from paretoflow.front.selection import landmarks, pick, that_count
from tests.faults import raises
from tests.views import changed, three_objectives, two_objectives


@pytest.fixture
def front() -> FrontView:
    return two_objectives().front


def scores_of_pick(front: FrontView, **wishes: dict[str, float]) -> tuple[float, ...]:
    return pick(front, **wishes).scores


def test_all_weight_on_one_objective_takes_its_extreme(front: FrontView) -> None:
    assert scores_of_pick(front, prefer={"coverage": 1.0}) == (0.52, 47.5)
    assert scores_of_pick(front, prefer={"length": 3.0}) == (0.14, 7.2)


def test_the_weighted_sum_of_normalised_gains_by_hand(front: FrontView) -> None:
    """Ranges are 0.1..0.6 and 5..55, so (0.46, 35.5) is worth 0.7 * 0.72 + 0.3 * 0.39 = 0.621.

    Its neighbours are worth 0.7 * 0.84 + 0.3 * 0.15 = 0.633 and 0.7 * 0.5 + 0.3 * 0.62 = 0.536.
    At 0.6 and 0.4 the three are worth 0.588, 0.564 and 0.548.
    """
    assert scores_of_pick(front, prefer={"coverage": 0.7, "length": 0.3}) == (0.52, 47.5)
    assert scores_of_pick(front, prefer={"coverage": 0.6, "length": 0.4}) == (0.46, 35.5)


def test_preferences_count_by_proportion_only(front: FrontView) -> None:
    small = pick(front, {"coverage": 0.3, "length": 0.2})
    assert small == pick(front, {"coverage": 30.0, "length": 20.0})


def test_constraints_narrow_the_choice(front: FrontView) -> None:
    bound = {"length": 30.0}
    assert scores_of_pick(front, prefer={"coverage": 1.0}, at_most=bound) == (0.35, 24.0)
    assert scores_of_pick(front, at_least={"coverage": 0.3}) == (0.35, 24.0)
    assert scores_of_pick(front, at_most={"length": 24.0}) == (0.35, 24.0)


def test_without_a_preference_the_free_objectives_count_equally() -> None:
    view = three_objectives().front
    assert pick(view, at_most={"length": 60.0}) == pick(view, {"coverage": 1.0, "grounding": 1.0})


def test_a_tie_goes_to_the_point_that_is_better_elsewhere(front: FrontView) -> None:
    worse = changed(front.points[0], snapshot_id="twin", scores=(0.52, 48.0))
    tied = dataclasses.replace(front, points=(worse, *front.points))
    assert pick(tied, {"coverage": 1.0}).scores == (0.52, 47.5)


def with_reference(front: FrontView, coverage: float, length: float) -> FrontView:
    """Return the front measured against another reference point."""
    one, two = front.problem.objectives
    moved = (dataclasses.replace(one, ref=coverage), dataclasses.replace(two, ref=length))
    return dataclasses.replace(front, problem=Problem(moved))


def test_a_point_that_does_not_pass_the_reference_is_not_preferred(front: FrontView) -> None:
    """(0.14, 7.2) is the shortest, but its coverage of 0.14 does not count from 0.2 on."""
    strict = with_reference(front, 0.2, 60.0)
    assert scores_of_pick(front, prefer={"length": 1.0}) == (0.14, 7.2)
    assert scores_of_pick(strict, prefer={"length": 1.0}) == (0.24, 14.8)
    assert that_count(strict).tolist() == [p.scores[0] > 0.2 for p in strict.points]


def test_a_constraint_that_no_point_that_counts_keeps_takes_another(front: FrontView) -> None:
    strict = with_reference(front, 0.2, 60.0)
    assert scores_of_pick(strict, at_most={"length": 8.0}) == (0.14, 7.2)


def test_where_nothing_counts_all_are_chosen_from(front: FrontView) -> None:
    beyond = with_reference(front, 0.9, 60.0)
    assert not that_count(beyond).any()
    assert scores_of_pick(beyond, prefer={"length": 1.0}) == (0.14, 7.2)
    assert landmarks(beyond) == [
        (dataclasses.replace(point), best) for point, best in landmarks(front)
    ]


def test_landmarks_leave_out_what_does_not_count(front: FrontView) -> None:
    shown = landmarks(with_reference(front, 0.2, 60.0))
    assert [best for point, best in shown if point.scores == (0.24, 14.8)] == [("length",)]
    assert all(point.scores[0] > 0.2 for point, _ in shown)


def test_no_point_meets_the_constraints(front: FrontView) -> None:
    with raises("usage-no-point", "the 5") as caught:
        pick(front, at_least={"coverage": 0.5}, at_most={"length": 40.0})
    # (0.46, 35.5) lacks 0.04 / 0.5 = 0.08 of its range, (0.52, 47.5) lacks 7.5 / 50 = 0.15
    assert front.points[1].snapshot_id in caught.value.hint
    assert "coverage 0.46, length 35.5" in caught.value.hint


@pytest.mark.parametrize(
    ("wishes", "what", "hint"),
    [
        ({}, "nothing to pick by", "--prefer"),
        ({"prefer": {"coverag": 1.0}}, "no objective 'coverag'", "coverage"),
        ({"prefer": {"coverage": -0.1}}, "-0.1", ""),
        ({"prefer": {"coverage": float("inf")}}, "inf", ""),
        ({"prefer": {"coverage": 0.0}}, "every preference is 0", "positive"),
        ({"at_least": {"length": 20.0}}, "smaller is better", "--at-most length=20"),
        ({"at_most": {"coverage": 0.5}}, "larger is better", "--at-least coverage=0.5"),
        ({"at_most": {"length": float("nan")}}, "finite", ""),
    ],
)
def test_faults_are_told_with_a_hint(
    front: FrontView, wishes: dict[str, dict[str, float]], what: str, hint: str
) -> None:
    with pytest.raises(UserError) as caught:
        pick(front, **wishes)
    assert what in caught.value.what
    assert hint in caught.value.hint


def test_an_empty_front_has_nothing_to_pick(front: FrontView) -> None:
    empty = dataclasses.replace(front, points=())
    with raises("usage-no-point", "points"):
        pick(empty, {"coverage": 1.0})
    assert landmarks(empty) == []


def test_landmarks_are_the_extremes_and_the_middle(front: FrontView) -> None:
    shown = [(point.scores, best) for point, best in landmarks(front)]
    assert shown == [
        ((0.52, 47.5), ("coverage",)),
        ((0.35, 24.0), ()),
        ((0.14, 7.2), ("length",)),
    ]


def test_landmarks_of_three_objectives_are_each_shown_once() -> None:
    marks = landmarks(three_objectives().front)
    assert len({point.snapshot_id for point, _ in marks}) == len(marks)
    assert {name for _, best in marks for name in best} == {"coverage", "length", "grounding"}
