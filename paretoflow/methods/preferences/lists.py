"""Lists of scored answers, best first, for any weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paretoflow.core.protocols import Candidates
from paretoflow.core.values import FloatArray, IntArray
from paretoflow.methods.preferences.pairs import MARGIN_DECIMALS


@dataclass(frozen=True)
class ScoredList:
    """Distinct answers to one prompt.

    Args:
        prompt: Index of the prompt.
        answers: Indices among its candidates, best first, length L.
        labels: Weighted scores on the scale from the list's worst, 0, to its best, 1, shape (L,).
    """

    prompt: int
    answers: tuple[int, ...]
    labels: FloatArray


def distinct(candidates: Candidates, prompt: int) -> IntArray:
    """Return the indices of a prompt's distinct answers, the first of equals, in order."""
    first: dict[tuple[int, ...], int] = {}
    for index, ids in enumerate(candidates.completion_ids[prompt]):
        first.setdefault(ids, index)
    return np.array(list(first.values()), dtype=np.int64)


def scored_lists(candidates: Candidates, weights: FloatArray, size: int) -> list[ScoredList]:
    """Return a list for each prompt whose answers the weights distinguish, prompts in order.

    Of n answers in order of their weighted score, a list has the best, the worst and answers at
    even ranks between them; it has all if n is at most `size`.

    Args:
        candidates: The base's scored answers.
        weights: Shape (m,).
        size: Maximum answers in a list, at least 2.
    """
    scores = np.round((candidates.standardised * weights).sum(axis=2), MARGIN_DECIMALS)
    lists = []
    for prompt, row in enumerate(scores):
        answers = distinct(candidates, prompt)
        ranked = answers[np.argsort(-row[answers], kind="stable")]
        count = min(size, len(ranked))
        taken = ranked[np.linspace(0, len(ranked) - 1, count).round().astype(np.int64)]
        width = row[taken[0]] - row[taken[-1]]
        if width > 0:
            labels = np.round((row[taken] - row[taken[-1]]) / width, MARGIN_DECIMALS)
            lists.append(ScoredList(prompt, tuple(taken.tolist()), labels))
    return lists
