"""How two fronts differ, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paretoflow.core.evaluation import Evaluation
from paretoflow.core.values import Direction, ObjectiveInfo, Problem
from paretoflow.front.compared import Side
from paretoflow.front.difference import difference
from tests.faults import raises

GAIN = ObjectiveInfo("gain", Direction.MAXIMIZE, "", 0.0, 4.0, 0.0)
COST = ObjectiveInfo("cost", Direction.MINIMIZE, "s", 0.0, 4.0, 4.0)
PROBLEM = Problem((GAIN, COST))


def point(name: str, gain: float, cost: float, data: str = "d", n: int = 20) -> Evaluation:
    noise = np.random.default_rng(n).normal(0.0, 0.1, size=(2, n))
    noise -= noise.mean(axis=1, keepdims=True)
    prompts = np.array([[gain], [cost]]) + noise
    return Evaluation(
        scores=np.array([gain, cost], dtype=np.float64),
        stderr=np.array([0.1, 0.1]),
        prompt_scores=prompts,
        n=n,
        snapshot_id=name,
        digest=f"digest of {name}",
        data=data,
    )


def side(label: str, *points: Evaluation, problem: Problem = PROBLEM) -> Side:
    return Side(label, "demo", 0, problem, points)


def test_points_kept_gained_lost_and_beaten() -> None:
    a = side("a", point("p", 1, 1), point("q", 2, 3))
    b = side("b", point("p", 1, 1), point("r", 3, 2))
    found = difference(a, b)
    # p is worth 1 * 3, q adds 1 * 1; r covers 3 * 2 and leaves 1 * 1 of p
    assert (found.a.hypervolume, found.b.hypervolume) == (4.0, 7.0)
    assert found.change == 3.0
    names = [[p.snapshot_id for p in group] for group in (found.kept, found.gained, found.lost)]
    assert names == [["p"], ["r"], ["q"]]
    assert [p.snapshot_id for p in found.a.beaten] == ["q"]
    assert found.b.beaten == ()
    assert (found.a.covers, found.b.covers) == (0.5, 1.0)
    assert found.notes == ()


def test_the_same_prompts_make_a_paired_and_narrower_interval() -> None:
    a, b = side("a", point("p", 1, 1)), side("b", point("r", 2, 1))
    paired = difference(a, b)
    assert paired.paired
    assert paired.interval is not None
    assert paired.interval[0] <= paired.change <= paired.interval[1]
    apart = difference(a, side("b", point("r", 2, 1, data="other")))
    assert not apart.paired
    assert apart.interval is not None
    assert np.diff(paired.interval) < np.diff(apart.interval)
    assert apart.notes == ("unpaired interval: the two were not scored on the same prompts",)


@pytest.mark.parametrize("other", [{"data": ""}, {"n": 21}])
def test_unknown_or_other_prompts_are_not_paired(other: dict[str, object]) -> None:
    a, b = side("a", point("p", 1, 1)), side("b", point("r", 2, 1, **other))  # type: ignore[arg-type]
    assert not difference(a, b).paired


def test_both_unknown_prompts_are_not_paired() -> None:
    a, b = side("a", point("p", 1, 1, data="")), side("b", point("r", 2, 1, data=""))
    assert not difference(a, b).paired


def test_without_scores_of_prompts_there_is_no_interval() -> None:
    bare = Evaluation(scores=np.ones(2), stderr=np.full(2, np.nan), prompt_scores=np.empty(0), n=0)
    found = difference(side("a", bare), side("b", point("r", 2, 1)))
    assert found.interval is None
    assert not found.paired
    assert found.a.interval is None
    assert found.b.interval is not None
    assert found.notes == ("no intervals: scores of single prompts were not kept",)


def test_the_order_of_the_objectives_does_not_matter() -> None:
    turned = Problem((COST, GAIN))
    r = point("r", 3, 2)
    swapped = replace(r, scores=r.scores[::-1], prompt_scores=r.prompt_scores[::-1])
    a = side("a", r)
    found = difference(a, side("b", swapped, problem=turned))
    assert found.change == 0.0
    assert [p.snapshot_id for p in found.kept] == ["r"]
    assert found.interval == (0.0, 0.0)


def test_another_reference_point_or_unit_is_said() -> None:
    cost = ObjectiveInfo("cost", Direction.MINIMIZE, "ms", 0.0, 9.0, 9.0)
    a, b = side("a", point("p", 1, 1)), side("b", point("p", 1, 1), problem=Problem((GAIN, cost)))
    found = difference(a, b)
    assert found.change == 0.0
    assert found.notes == (
        "the reference points differ (gain 0, cost 4; gain 0, cost 9): both are measured against "
        "the first, that of a",
        "the unit of cost differs: 's' and 'ms'",
    )


@pytest.mark.parametrize(
    "other",
    [
        ObjectiveInfo("price", Direction.MINIMIZE, "s", 0.0, 4.0, 4.0),
        ObjectiveInfo("cost", Direction.MAXIMIZE, "s", 0.0, 4.0, 4.0),
    ],
)
def test_other_objectives_are_refused_by_name(other: ObjectiveInfo) -> None:
    b = side("b", point("p", 1, 1), problem=Problem((GAIN, other)))
    with raises("usage-not-comparable", "objectives") as caught:
        difference(side("a", point("p", 1, 1)), b)
    assert f"{other.name} ({other.direction.value}) in b" in caught.value.what
