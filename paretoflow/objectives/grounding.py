"""Share of the answer's n-grams that occur in the prompt's passages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from paretoflow.core.errors import DataError
from paretoflow.core.protocols import Prompt
from paretoflow.core.values import FloatArray
from paretoflow.objectives.context import ObjectiveContext
from paretoflow.objectives.words import words_of
from paretoflow.spec.objectives import GroundingObjectiveSpec


class GroundingObjective:
    """Measures how much of the answer occurs in the passages, by n-grams of words.

    Words are those of any script (see `words`), which may hold underscores. The passages are read
    as one text, in order, as the prompt shows them: an answer that copies any stretch of it scores
    1. Every occurrence of an n-gram in the answer counts. An answer of fewer than n words has no
    n-gram and scores 0: saying nothing must not look perfectly grounded. So does any answer to a
    prompt whose passages are empty.
    """

    def __init__(self, spec: GroundingObjectiveSpec, context: ObjectiveContext) -> None:
        self._name, self._n = spec.name, spec.n

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> FloatArray:
        """Return the grounded share of each answer, shape (b,), from 0 to 1.

        By hand, n = 2: "the cat sat still" has the bigrams (the, cat), (cat, sat), (sat, still); in
        the passage "The cat sat on a mat." contains the first two: 2/3.

        Raises:
            DataError: If a prompt has no passages; before anything is scored.
        """
        for row, prompt in enumerate(prompts):
            if not prompt.passages:
                what = f"row {row}, prompt {prompt.prompt_id}, has no passages"
                hint = "name the column that holds them in data.columns.passages"
                raise DataError(what, f"objective {self._name}", hint, code="data-reference")
        shares = [
            self._share(prompt.passages, text)
            for prompt, text in zip(prompts, completions, strict=True)
        ]
        return np.array(shares, dtype=np.float64)

    def _share(self, passages: tuple[str, ...], text: str) -> float:
        said = _ngrams(text, self._n)
        known = _known_ngrams(passages, self._n)
        return sum(gram in known for gram in said) / len(said) if said else 0.0


def _ngrams(text: str, n: int) -> list[tuple[str, ...]]:
    words = words_of(text, inner="_")
    return list(zip(*(words[start:] for start in range(n)), strict=False))


@lru_cache(maxsize=4096)
def _known_ngrams(passages: tuple[str, ...], n: int) -> frozenset[tuple[str, ...]]:
    # the same prompts are scored again in every evaluation of a sweep
    return frozenset(_ngrams(" ".join(passages), n))
