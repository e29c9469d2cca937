from __future__ import annotations

import pytest

from paretoflow.core.protocols import Prompt
from paretoflow.objectives import build
from paretoflow.spec.objectives import GroundingObjectiveSpec
from tests.faults import raises

PASSAGES = ("The first sentence stands here.", "A second one follows: naïve, Ünïcode.")


def score(answer: str, n: int = 2, passages: tuple[str, ...] = PASSAGES) -> float:
    scorer = build(GroundingObjectiveSpec(type="grounding", name="grounded", n=n))
    return float(scorer.score([Prompt("p1", "?", passages=passages)], [answer])[0])


@pytest.mark.parametrize("n", [1, 2, 4, 8])
def test_a_copied_stretch_is_wholly_grounded_even_across_sentences(n: int) -> None:
    assert score(" ".join(PASSAGES), n) == 1.0
    assert score("sentence stands here. A second one FOLLOWS naïve", n) == 1.0


@pytest.mark.parametrize("answer", ["", " \n", "...", "first"])
def test_saying_nothing_is_not_grounded(answer: str) -> None:
    assert score(answer) == 0.0


def test_every_occurrence_counts() -> None:
    # bigrams: (the, first) three times, which stands in the passage, and (first, the) twice
    assert score("the first the first the first") == pytest.approx(3 / 5)


def test_passages_shorter_than_an_ngram_ground_nothing() -> None:
    assert score("one two three", n=3, passages=("one two",)) == 0.0


def test_missing_passages_are_refused_with_their_prompt() -> None:
    with raises("data-reference", "row 0", "p1", "columns.passages"):
        score("x", passages=())


def test_an_empty_passage_grounds_nothing() -> None:
    assert score("one two", passages=("",)) == 0.0
