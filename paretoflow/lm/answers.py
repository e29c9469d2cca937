"""Tokenise answers that the base did not sample."""

from __future__ import annotations

from collections.abc import Sequence

from paretoflow.lm.base import LanguageModel, encode


def answer_ids(
    lm: LanguageModel, prompts: Sequence[str], answers: Sequence[str]
) -> list[tuple[int, ...]]:
    """Return the token ids of each answer after its prompt, with the end-of-text token.

    Prompt and answer are tokenised together, as in TRL. They are tokenised separately where joining
    would change the prompt's last token, since sampling sees the prompt's own tokens.

    Raises:
        DataError: If a prompt has no token.
    """
    tokenizer = lm.tokenizer
    alone = encode(lm, prompts)
    together = encode(lm, [p + a for p, a in zip(prompts, answers, strict=True)])
    found = []
    for prompt, whole, answer in zip(alone, together, answers, strict=True):
        ids = whole[len(prompt) :]
        if whole[: len(prompt)] != prompt:
            ids = tokenizer(answer, add_special_tokens=False)["input_ids"]
        found.append((*(int(i) for i in ids), int(tokenizer.eos_token_id)))
    return found
