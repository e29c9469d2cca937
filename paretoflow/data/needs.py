"""What a sweep asks of a prompt beside its text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from paretoflow.core.errors import DataError
from paretoflow.core.feedback import Feedback
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
        window: Most tokens of a prompt and an answer together; None for no limit.
        objectives: Names that pairs and ratings may speak for.
    """

    references: tuple[str, ...] = ()
    tokens: Callable[[str], int] | None = None
    longest: int | None = None
    limit: str = "data.max_prompt_tokens"
    window: int | None = None
    objectives: tuple[str, ...] = ()

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

    def unfit_answers(
        self, prompt: Prompt, said: Iterable[Feedback], longest: int | None
    ) -> DataError | None:
        """Return why the answers to a prompt cannot be used, if they cannot.

        Args:
            prompt: What they answer.
            said: Of what people gave.
            longest: Most tokens of an answer; None for no limit.
        """
        if self.tokens is None or (longest is None and self.window is None):
            return None
        hint = "shorten it, drop the row, or raise data.max_answer_tokens"
        asked = self.tokens(prompt.text) + 1  # what ends an answer is a token too
        for one in said:
            for answer in one.answers:
                count = self.tokens(answer)
                if longest is not None and count > longest:
                    what = f"an answer has {count} tokens; allowed: at most {longest}, "
                    return DataError(
                        f"{what}data.max_answer_tokens", one.where, hint, code="data-too-long"
                    )
                if self.window is not None and asked + count > self.window:
                    what = f"prompt and answer have {asked + count} tokens; allowed: at most "
                    return DataError(
                        f"{what}{self.window}, the model's window",
                        one.where,
                        hint,
                        code="data-too-long",
                    )
        return None


NOTHING = Needs()
"""What a sweep without a model or objectives asks."""
