"""End answers before their end-of-text token, at the texts of `model.generation.stop`.

The answer's tokens include the one that completes a stop text: the model ended it so, and training
learns from it. The answer's text ends before the stop text, as on servers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from paretoflow.lm.base import LanguageModel
from paretoflow.spec.models import GenerationSpec

_TOKENS_PER_CHARACTER = 4
"""Maximum tokens of one character: one for each of its bytes."""


@dataclass(frozen=True)
class StopTexts:
    """The stop texts of a sweep; there may be none."""

    tokenizer: Any
    texts: tuple[str, ...] = ()

    @classmethod
    def of(cls, lm: LanguageModel, generation: GenerationSpec) -> StopTexts:
        """Return the stop texts of a spec, for the tokens of a base."""
        return cls(lm.tokenizer, generation.stop)

    def ended(self, token_ids: Sequence[int]) -> bool:
        """Return whether the last token of an answer completes a stop text."""
        if not self.texts:
            return False
        # a special token may be a stop text, and may be left out of the answer's text
        reach = _TOKENS_PER_CHARACTER * max(map(len, self.texts)) + _TOKENS_PER_CHARACTER
        tail = list(token_ids[-reach:])
        whole = self.tokenizer.decode(tail)
        plain = self.tokenizer.decode(tail, skip_special_tokens=True)
        return any(text in whole or text in plain for text in self.texts)

    def cut(self, token_ids: Sequence[int]) -> list[int]:
        """Return an answer's tokens up to the first that completes a stop text, or all."""
        ids = list(token_ids)
        lengths = range(1, len(ids) + 1) if self.texts else ()
        return ids[: next((n for n in lengths if self.ended(ids[:n])), len(ids))]

    def before(self, text: str) -> str:
        """Return an answer's text up to the first stop text in it, or all."""
        found = [place for place in map(text.find, self.texts) if place >= 0]
        return text[: min(found, default=len(text))]
