from __future__ import annotations

import json

import numpy as np
import pytest

from paretoflow.core.cost import Cost
from paretoflow.core.merge import Merge
from paretoflow.core.values import (
    Direction,
    LaunchKind,
    ObjectiveInfo,
    Problem,
    Proposal,
    WeightVector,
)
from tests.faults import raises


@pytest.mark.parametrize("values", [(1.0,), (0.25, 0.75), (0.0, 1.0), (1 / 3, 1 / 3, 1 / 3)])
def test_a_point_of_the_simplex_is_a_weight_vector(values: tuple[float, ...]) -> None:
    weights = WeightVector(values)
    assert tuple(weights) == values
    assert len(weights) == len(values)
    np.testing.assert_array_equal(np.asarray(weights), values)
    assert weights.array.dtype == np.float64


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ((), "shape"),
        ((0.5, 0.6), "shape"),
        ((0.5, 0.4), "shape"),
        ((-0.5, 1.5), "shape"),
        ((float("nan"), 1.0), "non-finite"),
        ((float("inf"), 0.0), "non-finite"),
    ],
)
def test_what_is_off_the_simplex_is_refused(values: tuple[float, ...], code: str) -> None:
    with raises(code, "weights"):
        WeightVector(values)


def test_scaling_to_the_simplex() -> None:
    assert WeightVector.of([1, 3]) == WeightVector((0.25, 0.75))
    assert WeightVector.of([0.1, 0.2]) == WeightVector.of([1e6, 2e6])
    assert hash(WeightVector.of([1, 1])) == hash(WeightVector.of(np.array([7.0, 7.0])))
    assert WeightVector.one_hot(3, 1) == WeightVector((0.0, 1.0, 0.0))


@pytest.mark.parametrize("values", [[], [0, 0], [-1, 2], [float("nan"), 1], [float("inf"), 1]])
def test_what_cannot_be_scaled_is_refused(values: list[float]) -> None:
    with raises("shape", "positive sum"):
        WeightVector.of(values)


@pytest.mark.parametrize(
    "proposal",
    [
        Proposal(LaunchKind.WEIGHTED, WeightVector.of([1, 2]), 7, "Because.", "lattice"),
        Proposal(
            LaunchKind.CONSTRAINED,
            WeightVector.of([1, 2, 3]),
            2**32 - 1,
            "Extends r0001 in “größe”.",
            "cmorl",
            parent="r0001-abcdef-a0-s0040",
            target=1,
            thresholds=(0.1, float("-inf"), -3.5),
            tag="stage 2",
        ),
        Proposal(
            LaunchKind.MERGE,
            WeightVector.of([1, 3]),
            7,
            "Mixes.",
            "soups",
            merge=Merge("svd", ("a-s0040", "b-s0040"), (0.25, 0.75), (("rank", 4),)),
        ),
        Proposal(
            LaunchKind.WEIGHTED,
            WeightVector.of([1, 3]),
            7,
            "Searches.",
            "psl",
            settings=(("learning_rate", 0.001), ("rank", 8)),
        ),
    ],
    ids=["weighted", "constrained", "merge", "settings"],
)
def test_a_proposal_survives_json(proposal: Proposal) -> None:
    text = json.dumps(proposal.to_dict(), allow_nan=False)
    assert Proposal.from_dict(json.loads(text)) == proposal


def test_a_merge_says_what_it_mixes() -> None:
    assert str(Merge("cat", ("a", "b"), (0.25, 0.75))) == "0.25 of a, 0.75 of b (cat)"
    assert str(Merge("frank_wolfe", ("a", "b"))) == "a, b (frank_wolfe)"
    plain = Proposal(LaunchKind.WEIGHTED, WeightVector.of([1, 2]), 7, "Because.", "lattice")
    assert not {"merge", "settings"} & set(plain.to_dict())


def test_costs_add() -> None:
    assert Cost(1.0, 2.0, 3) + Cost(0.5, 0.25, 4) == Cost(1.5, 2.25, 7)
    assert Cost() + Cost(1.0) == Cost(1.0)


def test_a_problem_knows_its_names_and_its_reference() -> None:
    problem = Problem(
        (
            ObjectiveInfo("coverage", Direction.MAXIMIZE, "", 0.0, 1.0, -0.1),
            ObjectiveInfo("words", Direction.MINIMIZE, "words", 0.0, 60.0, 66.0),
        )
    )
    assert problem.m == 2
    assert problem.names == ("coverage", "words")
    assert problem.ref_scores.tolist() == [-0.1, 66.0]
