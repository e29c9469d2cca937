"""The inputs of a sequence classifier from a prompt and an answer, for training and scoring."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple

from paretoflow.core.protocols import Prompt
from paretoflow.objectives.words import is_unspaced

_BEFORE_SPACE = frozenset(".,:;?!…\"')]}»”\u2019%")
_CLOSING = frozenset(".,:;?!…)]}»”\u2019%")
_SPEAKERS = {"user": "Human", "assistant": "Assistant", "system": "System"}


class RewardText(NamedTuple):
    """The text of one answer that the model reads.

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
        tokenizer: Its own; set to cut long texts at their beginning.
        max_length: Tokens of prompt and answer; no more than the model has positions for.

    Attributes:
        window: Positions that the model has; None for no limit.
        pad_id: The padding token; None when the model has none, and takes one text at a time.
    """

    def __init__(self, model: Any, tokenizer: Any, max_length: int) -> None:
        from paretoflow.lm.whole import window_of  # it imports torch

        self._tokenizer, self.window = tokenizer, window_of(model)
        self._max_length = min(max_length, self.window or max_length)
        tokenizer.truncation_side = "left"
        self._keys = ["input_ids", "attention_mask"]
        if "token_type_ids" in inspect.signature(model.forward).parameters:
            self._keys.append("token_type_ids")
        self.pad_id = self._settle_padding(model.config.get_text_config())

    def _settle_padding(self, config: Any) -> int | None:
        """Return the padding token and set it on the model; None when it has none of its own.

        Decoders read their output at the last token that is not padding, so an end-of-text token
        may serve only if the model's own configuration says so.
        """
        if config.pad_token_id is None or config.pad_token_id < 0:
            own = self._tokenizer.pad_token_id
            config.pad_token_id = None if own == self._tokenizer.eos_token_id else own
        return None if config.pad_token_id is None else int(config.pad_token_id)

    def text(self, prompt: Prompt, completion: str) -> RewardText:
        """Return the text of an answer that is stored apart from its prompt, as in a file.

        Chat turns go through the tokenizer's chat template; where it has none, they are written as
        `Human:` and `Assistant:` turns, the form in which models without a template were trained. A
        plain prompt is followed by the answer, after a space where the script uses one: `Answer:`
        and `it is` give `Answer: it is`.
        """
        return self._read(prompt, completion, joint(prompt.text, completion))

    def as_sampled(self, prompt: Prompt, completion: str) -> RewardText:
        """Return the text of an answer with the white space that it was sampled with.

        As `text`, but a plain prompt is followed by the answer without change. In a chat, and in a
        text pair, white space at the answer's ends has no meaning and is removed.
        """
        return self._read(prompt, completion, completion)

    def _read(self, prompt: Prompt, completion: str, continued: str) -> RewardText:
        turns = [dict(turn) for turn in prompt.messages]
        answer = completion.strip()
        if turns and self._tokenizer.chat_template:
            turns.append({"role": "assistant", "content": answer})
            rendered = self._tokenizer.apply_chat_template(turns, tokenize=False)
            return RewardText(str(rendered), None, special=False)
        text = prompt.text
        if turns:
            spoken = [f"\n\n{_SPEAKERS.get(t['role'], t['role'])}: {t['content']}" for t in turns]
            text, continued = "".join(spoken) + "\n\nAssistant:", f" {answer}"
        if self._tokenizer.sep_token_id is None:
            bos = self._tokenizer.bos_token
            return RewardText(text + continued, None, special=not (bos and text.startswith(bos)))
        return RewardText(text, answer, special=True)

    def encoded(self, text: RewardText) -> dict[str, list[int]]:
        """Return the text's model inputs; a text that is too long loses its beginning."""
        cut: bool | str = True
        if text.second is not None:
            answer = len(self._tokenizer(text.second, add_special_tokens=False)["input_ids"])
            marks = self._tokenizer.num_special_tokens_to_add(pair=True)
            # the tokenizer refuses to cut only the prompt when that cannot be enough
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


def joint(prompt: str, answer: str) -> str:
    """Return a stripped answer, after the space that separates it from its prompt, if any.

    There is no space after white space or an opening bracket, before closing punctuation, in
    scripts that are written without spaces, and after anything that is neither a word nor its
    punctuation, for instance a mark such as `<|assistant|>`.
    """
    if not prompt or not answer or prompt[-1].isspace() or answer[0].isspace():
        return answer
    last, first = prompt[-1], answer[0]
    open_end = last.isalnum() or last in _BEFORE_SPACE
    if not open_end or first in _CLOSING or is_unspaced(first) or is_unspaced(last):
        return answer
    return f" {answer}"
