"""ROUGE of the answer against the prompt's reference.

References:
    Lin (2004), "ROUGE: A Package for Automatic Evaluation of Summaries", ACL W04-1013, sections 2
    and 3, as computed by the rouge-score library, without stemming. Departure: the library's words
    are runs of a-z and 0-9, so that a text in another script has none; here they are those of any
    script (see `words`), which for a text in ASCII are the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paretoflow.core.errors import DataError, MissingExtraError
from paretoflow.core.protocols import Prompt
from paretoflow.core.values import FloatArray
from paretoflow.objectives.context import ObjectiveContext
from paretoflow.objectives.words import words_of
from paretoflow.spec.objectives import RougeObjectiveSpec


class _Words:
    """Tokenizer in the form that the library expects."""

    def tokenize(self, text: str) -> list[str]:
        """Return the words of a text."""
        return words_of(text)


class RougeObjective:
    """Overlap with the reference in unigrams, bigrams or the longest common subsequence.

    Raises:
        MissingExtraError: If rouge-score is not installed.
    """

    def __init__(self, spec: RougeObjectiveSpec, context: ObjectiveContext) -> None:
        try:
            from rouge_score.rouge_scorer import RougeScorer
        except ImportError as error:
            raise MissingExtraError.of(f"objective {spec.name}", "rouge-score", "train") from error
        self._name, self._variant, self._measure = spec.name, spec.variant, spec.measure
        self._scorer = RougeScorer([spec.variant], tokenizer=_Words())

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> FloatArray:
        """Return the overlap of each answer with its reference, shape (b,), from 0 to 1.

        By hand: the reference "the cat sat down" and the answer "the cat lay" share 2 unigrams, so
        ROUGE-1 has recall 2/4, precision 2/3 and f-measure 4/7.

        Raises:
            DataError: If a prompt has no reference; before anything is scored.
        """
        for row, prompt in enumerate(prompts):
            if not words_of(prompt.reference):
                blank = not prompt.reference.strip()
                fault = "no reference answer" if blank else "a reference answer without a word"
                what = f"row {row}, prompt {prompt.prompt_id}, has {fault}"
                hint = "name the column that holds it in data.columns.reference"
                raise DataError(what, f"objective {self._name}", hint, code="data-reference")
        scores = [
            getattr(self._scorer.score(prompt.reference, text)[self._variant], self._measure)
            for prompt, text in zip(prompts, completions, strict=True)
        ]
        return np.array(scores, dtype=np.float64)
