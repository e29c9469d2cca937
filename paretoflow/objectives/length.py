"""Length of the answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paretoflow.core.errors import ModelError
from paretoflow.core.protocols import Prompt
from paretoflow.core.values import FloatArray
from paretoflow.objectives.context import ObjectiveContext
from paretoflow.objectives.words import is_unspaced, words_of
from paretoflow.spec.objectives import LengthObjectiveSpec


class LengthObjective:
    """Counts words between white space, or tokens of the base model's tokenizer.

    Scripts without spaces are counted character by character (see `words`).

    Raises:
        ModelError: If tokens are to be counted and no tokenizer is loaded.
    """

    def __init__(self, spec: LengthObjectiveSpec, context: ObjectiveContext) -> None:
        self._count_tokens = None
        if spec.count == "tokens":
            if context.count_tokens is None:
                what = "counting tokens needs the tokenizer of a base model, and none is loaded"
                raise ModelError(
                    what, f"objective {spec.name}", "write count: words", code="model-tokenizer"
                )
            self._count_tokens = context.count_tokens

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> FloatArray:
        """Return the length of each answer, shape (b,); 0 for an empty one."""
        if self._count_tokens is None:
            return np.array([_words(text) for text in completions], dtype=np.float64)
        return np.array(self._count_tokens(completions), dtype=np.float64)


def _words(text: str) -> int:
    return sum(len(words_of(word)) if any(map(is_unspaced, word)) else 1 for word in text.split())
