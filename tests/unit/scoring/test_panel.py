from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from paretoflow.core.errors import DataError
from paretoflow.core.protocols import Prompt
from paretoflow.scoring.panel import ObjectivePanel
from tests.faults import raises

PROMPTS = [Prompt(f"id{i}", "?") for i in range(3)]
ANSWERS = ["a", "bb", "ccc"]


class Scorer:
    """Returns the results of a function."""

    def __init__(self, function: Callable[[Sequence[str]], Any]) -> None:
        self.function = function

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> Any:
        return self.function(completions)


GOOD = Scorer(lambda texts: [float(len(t)) for t in texts])


def panel_with(function: Callable[[Sequence[str]], Any]) -> ObjectivePanel:
    return ObjectivePanel(["good", "bad"], [GOOD, Scorer(function)])


def raising(error: BaseException) -> Callable[[Sequence[str]], Any]:
    def function(texts: Sequence[str]) -> Any:
        raise error

    return function


def test_columns_stand_in_the_order_of_the_names() -> None:
    panel = ObjectivePanel(
        ["size", "minus"], [GOOD, Scorer(lambda texts: np.array([-len(t) for t in texts]))]
    )
    scores = panel.score(PROMPTS, ANSWERS)
    assert (panel.m, panel.names) == (2, ("size", "minus"))
    assert scores.dtype == np.float64
    assert scores.tolist() == [[1.0, -1.0], [2.0, -2.0], [3.0, -3.0]]


def test_an_empty_batch_is_scored_without_asking() -> None:
    assert panel_with(raising(RuntimeError())).score([], []).shape == (0, 2)


def test_a_scorer_that_raises_is_named_and_its_error_kept() -> None:
    with raises("objective-raised", "KeyError", "'k'", "3 answers", "id0") as caught:
        panel_with(raising(KeyError("k"))).score(PROMPTS, ANSWERS)
    assert isinstance(caught.value.__cause__, KeyError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, None])
def test_a_value_that_is_not_finite_names_row_and_prompt(value: float | None) -> None:
    with raises("objective-not-finite", "row 1", "id1", "'bb'"):
        panel_with(lambda texts: [1.0, value, 2.0]).score(PROMPTS, ANSWERS)


@pytest.mark.parametrize("returned", [[1.0], [1.0] * 4, 1.0, [[1.0]] * 3, []])
def test_a_wrong_shape_says_what_came_back(returned: Any) -> None:
    with raises("objective-shape", "for 3", "(3,)"):
        panel_with(lambda texts: returned).score(PROMPTS, ANSWERS)


@pytest.mark.parametrize("returned", [["a", "b", "c"], [[1.0], [1.0, 2.0], [1.0]], {"x": 1}])
def test_what_is_no_number_is_an_objectives_failure(returned: Any) -> None:
    with raises("objective-raised"):
        panel_with(lambda texts: returned).score(PROMPTS, ANSWERS)


def test_the_users_own_fault_stays_the_users() -> None:
    with raises("data", "no reference"):
        panel_with(raising(DataError("no reference"))).score(PROMPTS, ANSWERS)


def test_an_interrupt_is_let_through() -> None:
    with pytest.raises(KeyboardInterrupt):
        panel_with(raising(KeyboardInterrupt())).score(PROMPTS, ANSWERS)


def test_unequal_lengths_are_refused() -> None:
    with raises("shape", "3 prompts", "for 1"):
        panel_with(len).score(PROMPTS, ["a"])
    with raises("shape", "2 names", "for 1"):
        ObjectivePanel(["a", "b"], [GOOD])


class _Onward(Scorer):
    def score_as_sampled(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> Any:
        return [float(len(t)) for t in completions]


def test_white_space_at_the_ends_reaches_only_who_reads_on_from_the_prompt() -> None:
    panel = ObjectivePanel(["plain", "onward"], [GOOD, _Onward(lambda texts: [99.0] * len(texts))])
    scores = panel.score(PROMPTS, [" a", "bb\n", "\t ccc "])
    assert scores.tolist() == [[1.0, 2.0], [2.0, 3.0], [3.0, 6.0]]


def test_a_library_that_a_scorer_lacks_is_named() -> None:
    class Lacking:
        def score(self, prompts: Any, completions: Any) -> Any:
            raise ModuleNotFoundError("No module named 'sacrebleu'", name="sacrebleu")

    with raises("objective-raised", "install sacrebleu"):
        ObjectivePanel(["a"], [Lacking()]).score([Prompt("p", "x")], ["y"])
