from __future__ import annotations

from typing import Any

import pytest

from paretoflow.core.errors import SpecError
from paretoflow.objectives import build
from paretoflow.spec.objectives import RegexObjectiveSpec


def scores(*answers: str, **options: Any) -> list[float]:
    return build(RegexObjectiveSpec(type="regex", name="x", **options)).score([], answers).tolist()


@pytest.mark.parametrize("options", [{}, {"pattern": "a", "keywords": ("b",)}])
def test_exactly_one_of_pattern_and_keywords_is_needed(options: dict[str, Any]) -> None:
    with pytest.raises(
        SpecError, match=r"objective x: give pattern or keywords, got (neither|both)"
    ):
        scores(**options)


@pytest.mark.parametrize("keywords", [(), ("a", " ")])
def test_empty_keywords_are_refused(keywords: tuple[str, ...]) -> None:
    with pytest.raises(SpecError, match="objective x: keywords must be words"):
        scores(keywords=keywords)


def test_malformed_pattern_says_where() -> None:
    with pytest.raises(SpecError, match=r"malformed pattern 'a\(b'.*at position 1"):
        scores(pattern="a(b")


def test_case_counts_when_asked_for() -> None:
    assert scores("Cat", "cat", pattern="cat", ignore_case=False) == [0.0, 1.0]


def test_the_longest_keyword_wins_and_signs_stand_for_themselves() -> None:
    assert scores("new york", "C++!", "C", keywords=("new", "new york", "C++"), count="all") == [
        1.0,
        1.0,
        0.0,
    ]
