from __future__ import annotations

import random

import pytest

from paretoflow.core.protocols import Prompt
from paretoflow.objectives import build
from paretoflow.spec.objectives import RougeObjectiveSpec
from tests.faults import raises


def longest_common_subsequence(a: list[str], b: list[str]) -> int:
    if not a or not b:
        return 0
    if a[-1] == b[-1]:
        return 1 + longest_common_subsequence(a[:-1], b[:-1])
    return max(longest_common_subsequence(a[:-1], b), longest_common_subsequence(a, b[:-1]))


def test_missing_reference_is_refused_with_its_prompt() -> None:
    prompts = [Prompt("a1", "?", reference="x"), Prompt("b2", "?", reference=" ")]
    scorer = build(RougeObjectiveSpec(type="rouge", name="complete"))
    with raises("data-reference", "row 1", "b2", "columns.reference"):
        scorer.score(prompts, ["x", "y"])


@pytest.mark.parametrize("seed", range(5))
def test_rouge_l_recall_is_the_common_subsequence_over_the_reference(seed: int) -> None:
    rng = random.Random(seed)
    reference, answer = rng.choices("abcd", k=7), rng.choices("abcd", k=6)
    scorer = build(RougeObjectiveSpec(type="rouge", name="x"))
    got = scorer.score([Prompt("p", "?", " ".join(reference))], [" ".join(answer)])[0]
    assert got == pytest.approx(longest_common_subsequence(reference, answer) / 7)


def test_the_reference_itself_scores_one() -> None:
    text = "Sets hold each item once, in no order."
    scorer = build(RougeObjectiveSpec(type="rouge", name="x", variant="rouge2", measure="fmeasure"))
    assert scorer.score([Prompt("p", "?", text)], [text])[0] == 1.0
