"""One evaluation, from what an evaluator measured to what the front compares."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paretoflow.core.evaluation import Evaluation, standard_errors

PROMPTS = np.array([[0.0, 1.0], [4.0, 8.0], [2.0, 2.0]])
FOUND = Evaluation.of_prompts(PROMPTS, diagnostics={"kl": 0.5})


def test_means_and_errors_by_hand() -> None:
    # 0 and 1: sd sqrt(.5), over sqrt(2); 4 and 8 spread four times as far
    assert FOUND.scores.tolist() == [0.5, 6.0, 2.0]
    assert FOUND.stderr == pytest.approx([0.5, 2.0, 0.0])
    assert FOUND.n == 2
    assert np.isnan(standard_errors(PROMPTS[:, :1])).all()


def test_it_is_nobodys_until_it_is_named() -> None:
    assert (FOUND.snapshot_id, FOUND.run_id) == ("", "")
    assert FOUND.named("r1", 2, 40).snapshot_id == "r1-a2-s0040"
    assert replace(FOUND, number=3).named("r1", 2, 40).snapshot_id == "r1-a2-s0040-c03"
    assert FOUND.named("base", 0, 0).snapshot_id == "base"
    again = FOUND.named("r9", 0, 40, known="r1-a2-s0040")
    assert (again.run_id, again.snapshot_id) == ("r9", "r1-a2-s0040")
    assert again.scores is FOUND.scores


def test_two_are_equal_by_value_and_differ_in_one_prompt() -> None:
    twin = Evaluation.of_prompts(PROMPTS.copy(), diagnostics={"kl": 0.5})
    assert twin == FOUND
    assert hash(twin) == hash(FOUND)
    other = PROMPTS.copy()
    other[0] = [1.0, 0.0]
    assert Evaluation.of_prompts(other, diagnostics={"kl": 0.5}) != FOUND
    assert replace(FOUND, step=1) != FOUND
    unknown = replace(FOUND, stderr=np.full(3, np.nan))
    assert unknown == replace(FOUND, stderr=np.full(3, np.nan))


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 0, 2]])
def test_another_order_of_the_objectives_permutes_what_is_theirs(order: list[int]) -> None:
    moved = FOUND.ordered(order)
    assert moved == Evaluation.of_prompts(PROMPTS[order], diagnostics={"kl": 0.5})
    back = np.argsort(order).tolist()
    assert moved.ordered(back) == FOUND
    bare = replace(FOUND, prompt_scores=np.empty(0)).ordered(order)
    assert bare.scores.tolist() == FOUND.scores[order].tolist()
