"""Matches of a regular expression, or of keywords, in the answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from paretoflow.core.protocols import Prompt
from paretoflow.core.values import FloatArray
from paretoflow.objectives.context import ObjectiveContext
from paretoflow.objectives.words import is_unspaced
from paretoflow.spec.objectives import RegexObjectiveSpec


class RegexObjective:
    """Looks for a pattern in each answer.

    A dot does not cross lines; `^` and `$` are the ends of the whole answer.
    """

    def __init__(self, spec: RegexObjectiveSpec, context: ObjectiveContext) -> None:
        self._pattern = _compiled(spec)
        self._count_all = spec.count == "all"

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> FloatArray:
        """Return 1 or 0, or the number of separate matches, for each answer, shape (b,)."""
        if self._count_all:
            finds = [sum(1 for _ in self._pattern.finditer(text)) for text in completions]
        else:
            finds = [int(self._pattern.search(text) is not None) for text in completions]
        return np.array(finds, dtype=np.float64)


def _whole(word: str) -> str:
    """Return a pattern that matches a whole word, in scripts that mark the ends of words."""
    before = "" if is_unspaced(word[0]) else r"(?<!\w)"
    behind = "" if is_unspaced(word[-1]) else r"(?!\w)"
    return f"{before}{re.escape(word)}{behind}"


def _compiled(spec: RegexObjectiveSpec) -> re.Pattern[str]:
    """Return the pattern to look for; the spec's rules ensure that it exists and is valid."""
    source = spec.pattern
    if source is None:
        words = [word.strip() for word in spec.keywords or ()]
        # longest first, since an alternation takes its first match
        source = "|".join(_whole(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(source, re.IGNORECASE if spec.ignore_case else 0)
