"""Sample answers whose text depends on prompt, seed and weights alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedModel

from paretoflow.lm.base import LanguageModel
from paretoflow.spec.models import GenerationSpec


@dataclass(frozen=True)
class Answer:
    """One sampled answer.

    Args:
        text: Decoded without special tokens, white space stripped at both ends.
        token_ids: As sampled; ends with the end-of-text token when the model gave one.
    """

    text: str
    token_ids: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """Return the number of sampled tokens, the end-of-text token included."""
        return len(self.token_ids)


def generate(
    model: PreTrainedModel,
    lm: LanguageModel,
    prompts: Sequence[str],
    seeds: Sequence[int],
    gen: GenerationSpec,
) -> list[Answer]:
    """Sample one answer for each prompt, in the order of the prompts."""
    ...
