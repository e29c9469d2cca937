from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from paretoflow.core.cost import Cost
from paretoflow.core.launch import Launch
from paretoflow.core.protocols import AttemptContext, Candidates, Checkpoint, Served
from paretoflow.core.values import (
    Direction,
    LaunchKind,
    ObjectiveInfo,
    Problem,
    Proposal,
    WeightVector,
)
from paretoflow.methods.objective_subset import narrowed, narrowed_context
from paretoflow.methods.training.context import MethodContext
from paretoflow.spec.models import GenerationSpec, LoraSpec

INFOS = tuple(ObjectiveInfo(n, Direction.MINIMIZE, "", 0.0, 9.0, 9.0) for n in ("a", "size", "c"))


class Recorder:
    """Records the request of a method, and reports given results."""

    def __init__(self, **reported: Any) -> None:
        self.launches: list[Launch] = []
        self.context: MethodContext | None = None
        self._reported = reported

    def of(self, context: MethodContext) -> Recorder:
        self.context = context
        return self

    def train(self, attempt: AttemptContext, report: Callable[[Checkpoint], None]) -> None:
        self.launches.append(attempt.launch)
        weights = self._reported.pop("weights", attempt.launch.proposal.weights.array)
        report(Checkpoint(0, Path(), True, Cost(), weights, {}, **self._reported))


@pytest.fixture
def context() -> MethodContext:
    """Return objectives a, size and c, of which no training moves size; no model is needed."""
    gains = np.array([[[1.0, 0.0, 3.0], [4.0, 0.0, 6.0]]])
    stand_in: Any = SimpleNamespace()
    return MethodContext(
        lm=stand_in,
        lora=LoraSpec(),
        generation=GenerationSpec(),
        candidates=Candidates(
            (), (), (), (), gains, gains.mean((0, 1)), np.array([1.5, 1e-8, 1.5]), np.zeros((1, 2))
        ),
        objective_names=("a", "size", "c"),
        scale=np.array([1.0, 2.0, 3.0]),
        rewards=lambda prompts, answers: np.array([[1.0, 0.0, 3.0]] * len(answers)),
        validate=lambda model: np.array([1.0, 2.0, 3.0]),
        problem=Problem(INFOS),
        unmoved=(1,),
    )


def asked(*weights: float, **given: Any) -> Launch:
    kind = LaunchKind.CONSTRAINED if "thresholds" in given else LaunchKind.WEIGHTED
    proposal = Proposal(kind, WeightVector(weights), 1, "Because.", "test", **given)
    return Launch("r", 0, proposal, front=np.array([[1.0, 2.0, 3.0]]))


def trained(
    context: MethodContext, method: Recorder, launch: Launch, idle: Any = None
) -> Checkpoint:
    told: list[Checkpoint] = []
    narrowed(method.of, context, idle).train(AttemptContext(launch, Path()), told.append)
    return told[0]


def test_a_method_sees_what_training_moves(context: MethodContext) -> None:
    seen = narrowed_context(context, [0, 2])
    assert seen.objective_names == ("a", "c")
    assert seen.candidates.gains.tolist() == [[[1.0, 3.0], [4.0, 6.0]]]
    assert seen.candidates.standardised.tolist() == [[[-1.0, -1.0], [1.0, 1.0]]]
    assert seen.scale.tolist() == [1.0, 3.0]
    assert seen.rewards((), ["x", "y"]).tolist() == [[1.0, 3.0]] * 2
    assert seen.validate(None).tolist() == [1.0, 3.0]
    assert seen.problem == Problem((INFOS[0], INFOS[2]))
    assert seen.unmoved == ()


def test_nothing_changes_where_training_moves_all(context: MethodContext) -> None:
    method = Recorder()
    assert narrowed(method.of, replace(context, unmoved=())) is method


def test_weights_are_shared_out_among_the_others_and_reported_whole(context: MethodContext) -> None:
    method = Recorder()
    found = trained(context, method, asked(0.2, 0.5, 0.3))
    (told,) = method.launches
    assert told.proposal.weights.values == (0.4, 0.6)
    assert told.front is not None
    assert told.front.tolist() == [[1.0, 3.0]]
    np.testing.assert_allclose(found.weights, [0.2, 0.5, 0.3])
    moved = trained(context, Recorder(weights=np.array([0.9, 0.1])), asked(0.2, 0.5, 0.3))
    np.testing.assert_allclose(moved.weights, [0.45, 0.5, 0.05])


def test_served_preferences_say_nothing_of_it(context: MethodContext) -> None:
    one = Served(np.array([0.25, 0.75]), {}, draws=(Served(np.array([1.0, 0.0]), {}),))
    found = trained(context, Recorder(served=(one,)), asked(0.2, 0.5, 0.3))
    assert found.served[0].weights.tolist() == [0.25, 0.0, 0.75]
    assert found.served[0].draws[0].weights.tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(("target", "told"), [(0, 0), (1, None), (2, 1)])
def test_a_bound_on_it_is_left_out(context: MethodContext, target: int, told: int | None) -> None:
    method = Recorder()
    bounds = (-1.0, -2.0, -3.0)
    trained(context, method, asked(0.2, 0.5, 0.3, target=target, thresholds=bounds))
    assert method.launches[0].proposal.target == told
    assert method.launches[0].proposal.thresholds == (-1.0, -3.0)


def test_the_parents_gains_are_those_of_what_moves(context: MethodContext) -> None:
    method, bounds = Recorder(), (-1.0, -2.0, -3.0)
    request = asked(0.2, 0.5, 0.3, target=0, thresholds=bounds)
    trained(context, method, replace(request, parent_gains=np.array([1.0, 2.0, 3.0])))
    assert method.launches[0].parent_gains is not None
    assert method.launches[0].parent_gains.tolist() == [1.0, 3.0]


def test_what_has_nothing_to_train_for_is_anothers(context: MethodContext) -> None:
    method, idle = Recorder(), Recorder()
    request = asked(0.0, 1.0, 0.0)
    found = trained(context, method, request, idle)
    assert (method.launches, idle.launches) == ([], [request])
    assert found.weights.tolist() == [0.0, 1.0, 0.0]
    found = trained(context, method, request)  # without one, all that training moves counts alike
    assert method.launches[0].proposal.weights.values == (0.5, 0.5)
    assert found.weights.tolist() == [0.0, 1.0, 0.0]
