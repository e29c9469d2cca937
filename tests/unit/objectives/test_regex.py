from __future__ import annotations

from typing import Any

from paretoflow.objectives import build
from paretoflow.spec.objectives import RegexObjectiveSpec


def scores(*answers: str, **options: Any) -> list[float]:
    return build(RegexObjectiveSpec(type="regex", name="x", **options)).score([], answers).tolist()


def test_case_counts_when_asked_for() -> None:
    assert scores("Cat", "cat", pattern="cat", ignore_case=False) == [0.0, 1.0]


def test_the_longest_keyword_wins_and_signs_stand_for_themselves() -> None:
    assert scores("new york", "C++!", "C", keywords=("new", "new york", "C++"), count="all") == [
        1.0,
        1.0,
        0.0,
    ]
