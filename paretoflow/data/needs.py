"""What a sweep asks of a prompt beside its text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from paretoflow.core.errors import DataError
from paretoflow.core.protocols import Prompt


@dataclass(frozen=True)
class Needs:
    """What makes a prompt unfit for a sweep.

    Args:
        references: Whoever needs a reference answer for each prompt, for messages.
        tokens: Number of tokens of a text as a prompt; None where no tokenizer is at hand, and
            nothing is too long.
        longest: Most tokens of a prompt; None for no limit.
        limit: Where the limit comes from, for messages.
    """

    references: tuple[str, ...] = ()
    tokens: Callable[[str], int] | None = None
    longest: int | None = None
    limit: str = "data.max_prompt_tokens"

    def unfit(self, prompt: Prompt) -> DataError | None:
        """Return why a prompt cannot be used, if it cannot."""
        if self.references and not prompt.reference.strip():
            who = " and ".join(self.references)
            return DataError(
                f"no reference answer, which {who} needs",
                hint="drop the row",
                code="data-reference",
            )
        if self.tokens is None or self.longest is None:
            return None
        try:
            count = self.tokens(prompt.text)
        except DataError as error:
            return error
        if count <= self.longest:
            return None
        what = f"the prompt has {count} tokens; allowed: at most {self.longest}, {self.limit}"
        hint = "shorten it (data.max_passage_words), lower model.generation.max_new_tokens"
        return DataError(what, hint=hint, code="data-too-long")


NOTHING = Needs()
