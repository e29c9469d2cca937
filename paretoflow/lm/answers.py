"""Answers that the base did not sample, as the tokens that it would have."""

from __future__ import annotations

from collections.abc import Sequence

from paretoflow.lm.base import LanguageModel, encode


def answer_ids(
    lm: LanguageModel, prompts: Sequence[str], answers: Sequence[str]
) -> list[tuple[int, ...]]:
    """Return the token ids of each answer behind its prompt, with the end-of-text token.

    Prompt and answer are cut into tokens together, as TRL does it; apart, where the prompt's last
    token would be another then, since a prompt has its own tokens when it is answered.

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
