"""The sweep's requirements on a prompt beside its text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from paretoflow.core.errors import DataError
from paretoflow.core.feedback import Feedback
from paretoflow.core.protocols import Prompt


@dataclass(frozen=True)
class Needs:
    """Requirements that a prompt must meet to be used in a sweep.

    Args:
        references: Names of what needs a reference answer for each prompt, for messages.
        tokens: Counts the tokens of a text as a prompt; None without a tokenizer: then no prompt is
            too long.
        longest: Maximum tokens of a prompt; None for no limit.
        limit: Source of the limit, for messages.
        window: Maximum tokens of a prompt and an answer together; None for no limit.
        objectives: Names that pairs and ratings may use.
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
            prompt: Prompt of the answers.
            said: Feedback on the answers.
            longest: Maximum tokens of an answer; None for no limit.
        """
        if self.tokens is None or (longest is None and self.window is None):
            return None
        hint = "shorten it, drop the row, or raise data.max_answer_tokens"
        asked = self.tokens(prompt.text) + 1  # the end of an answer is a token too
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
"""Requirements of a sweep without a model or objectives."""
