"""Passages: from a column's value to the sentences shown to the model."""

from __future__ import annotations

import re
from typing import Any

from paretoflow.core.errors import DataError
from paretoflow.data.missing import is_missing

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?![a-z])")


def passages_of(value: Any, max_words: int | None, where: str) -> tuple[str, ...]:
    """Return the passages in a column's value, cut to whole sentences if there is a limit.

    Args:
        value: A string, a list of strings, or lists of [title, sentence, …], whose titles are
            dropped; null and NaN are none.
        max_words: Limit in words over all passages: reading stops before the first sentence that
            does not fit. If even the first one does not fit, its leading words are kept. White
            space is folded when there is a limit and unchanged when there is none.
        where: Place of the row for messages.

    Returns:
        Sentences when there is a limit or the source lists them; else the passages as they are. A
        row without passages gets one empty passage, to distinguish it from a source without
        passages.

    Raises:
        DataError: If the value is something else.
    """
    texts = [t for t in _texts(value, where) if t.strip()]
    if max_words is None:
        return tuple(texts) or ("",)
    kept: list[str] = []
    left = max_words
    for words in (s.split() for t in texts for s in _SENTENCE_END.split(t)):
        if len(words) > left:
            return tuple(kept) if kept else (" ".join(words[:max_words]),)
        if words:
            kept.append(" ".join(words))
            left -= len(words)
    return tuple(kept) or ("",)


def _texts(value: Any, where: str) -> list[str]:
    if isinstance(value, str):
        return [value]
    if is_missing(value):
        return []
    if isinstance(value, list | tuple):
        texts: list[str] = []
        for item in value:
            inner = item[1:] if isinstance(item, list | tuple) else [item]
            inner = [text for text in inner if not is_missing(text)]
            if not all(isinstance(text, str) for text in inner):
                raise _not_passages(value, where)
            texts.extend(inner)
        return texts
    raise _not_passages(value, where)


def _not_passages(value: Any, where: str) -> DataError:
    allowed = "text, a list of texts or lists of [title, sentence, ...]"
    what = f"passages must be {allowed}, got {repr(value)[:80]}"
    return DataError(what, where, "name another column in data.columns.passages", code="data-value")
