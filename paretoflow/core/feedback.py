"""Human feedback on answers, objective by objective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Feedback:
    """Answers to one prompt with human feedback: a labelled pair, or rated answers.

    Args:
        answers: Two answers of a pair, or two or more rated answers; all are different.
        better: Index of the better answer of a pair, by labelled objective.
        ratings: A number for each answer, by objective, in the objective's own direction.
        where: File and line, for messages.
    """

    answers: tuple[str, ...]
    better: Mapping[str, int] = field(default_factory=dict)
    ratings: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    where: str = field(default="", compare=False)

    def plain(self) -> dict[str, Any]:
        """Return all fields that runs learn from as plain JSON values, for a digest."""
        return {
            "answers": list(self.answers),
            "better": dict(sorted(self.better.items())),
            "ratings": {name: list(row) for name, row in sorted(self.ratings.items())},
        }
