"""What a sequence classifier reads of a prompt and an answer; training and scoring agree on it."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple

from paretoflow.core.protocols import Prompt

_SPEAKERS = {"user": "Human", "assistant": "Assistant", "system": "System"}


class RewardText(NamedTuple):
    """What the model reads about one answer.

    Args:
        first: The whole text, or the prompt's part of a pair.
        second: The answer's part of a pair; None when `first` is the whole.
        special: Whether the tokenizer adds its own marks; a chat template has put them in already.
    """

    first: str
    second: str | None
    special: bool


class RewardTexts:
    """Turns prompts and answers into the inputs of one classifier.

    Args:
        model: A transformers model for sequence classification.
        tokenizer: Its own; texts are cut at their beginning from here on.
        max_length: Tokens of prompt and answer.

    Attributes:
        pad_id: The padding token; None when the model has none, and takes one text at a time.
    """

    def __init__(self, model: Any, tokenizer: Any, max_length: int) -> None:
        self._tokenizer, self._max_length = tokenizer, max_length
        tokenizer.truncation_side = "left"
        self._keys = ["input_ids", "attention_mask"]
        if "token_type_ids" in inspect.signature(model.forward).parameters:
            self._keys.append("token_type_ids")
        self.pad_id = self._settle_padding(model.config.get_text_config())

    def _settle_padding(self, config: Any) -> int | None:
        """Return the padding token, telling the model of it; None when it has none of its own.

        Decoders read their output at the last token that is not padding, so an end-of-text token
        may serve only if the model's own configuration says so.
        """
        if config.pad_token_id is None or config.pad_token_id < 0:
            own = self._tokenizer.pad_token_id
            config.pad_token_id = None if own == self._tokenizer.eos_token_id else own
        return None if config.pad_token_id is None else int(config.pad_token_id)

    def text(self, prompt: Prompt, completion: str) -> RewardText:
        """Return what the model reads: one text, or a pair for a tokenizer that has a separator.

        Chat turns go through the tokenizer's chat template; where it has none, they are written as
        `Human:` and `Assistant:` turns, the form in which models without a template were trained. A
        plain prompt is continued by the answer as it stands.
        """
        turns = [dict(turn) for turn in prompt.messages]
        if turns and self._tokenizer.chat_template:
            turns.append({"role": "assistant", "content": completion})
            rendered = self._tokenizer.apply_chat_template(turns, tokenize=False)
            return RewardText(str(rendered), None, special=False)
        text = prompt.text
        if turns:
            spoken = [f"\n\n{_SPEAKERS.get(t['role'], t['role'])}: {t['content']}" for t in turns]
            text, completion = "".join(spoken) + "\n\nAssistant:", f" {completion.lstrip()}"
        if self._tokenizer.sep_token_id is None:
            return RewardText(text + completion, None, special=True)
        return RewardText(text, completion, special=True)

    def encoded(self, text: RewardText) -> dict[str, list[int]]:
        """Return the text's model inputs, its beginning cut off beyond the longest length."""
        cut: bool | str = True
        if text.second is not None:
            answer = len(self._tokenizer(text.second, add_special_tokens=False)["input_ids"])
            marks = self._tokenizer.num_special_tokens_to_add(pair=True)
            # the tokenizer refuses to cut the prompt alone when that cannot be enough
            cut = "only_first" if answer + marks < self._max_length else "longest_first"
        encoded = self._tokenizer(
            text.first,
            text.second,
            add_special_tokens=text.special,
            truncation=cut,
            max_length=self._max_length,
            return_token_type_ids="token_type_ids" in self._keys,
            return_attention_mask=True,
        )
        return {key: list(encoded[key]) for key in self._keys}

    def padded(self, rows: Sequence[dict[str, list[int]]]) -> dict[str, list[list[int]]]:
        """Return encoded texts as one batch, padded on the right, by the names of the inputs."""
        width = max(len(row["input_ids"]) for row in rows)
        fill = {key: (self.pad_id or 0) if key == "input_ids" else 0 for key in self._keys}
        return {
            key: [row[key] + [fill[key]] * (width - len(row[key])) for row in rows]
            for key in self._keys
        }
