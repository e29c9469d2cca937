from __future__ import annotations

from paretoflow.objectives import build
from paretoflow.spec.objectives import LengthObjectiveSpec
from tests.faults import raises


def test_tokens_need_a_tokenizer() -> None:
    spec = LengthObjectiveSpec(type="length", name="size", count="tokens")
    with raises("model-tokenizer", "objective size"):
        build(spec)


def test_any_white_space_parts_words() -> None:
    scorer = build(LengthObjectiveSpec(type="length", name="size"))
    assert scorer.score([], ["a\tb\n\nc  d", " \n"]).tolist() == [4.0, 0.0]
