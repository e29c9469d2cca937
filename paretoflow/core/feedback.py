"""What people said of answers, objective by objective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Feedback:
    """Answers to one prompt and what was said of them: a labelled pair, or rated answers.

    Args:
        answers: Two for a pair, two or more that are rated; no two are alike.
        better: Of a pair, for each objective that it speaks for: the index of the better answer.
        ratings: Of each objective, a number for each answer, in the objective's own direction.
        where: File and line, for messages.
    """

    answers: tuple[str, ...]
    better: Mapping[str, int] = field(default_factory=dict)
    ratings: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    where: str = field(default="", compare=False)

    def plain(self) -> dict[str, Any]:
        """Return all that runs learn from as plain JSON values, for a digest."""
        return {
            "answers": list(self.answers),
            "better": dict(sorted(self.better.items())),
            "ratings": {name: list(row) for name, row in sorted(self.ratings.items())},
        }
