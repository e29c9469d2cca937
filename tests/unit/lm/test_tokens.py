"""Which special tokens stand around a prompt, and the text of an answer behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from paretoflow.lm.base import LanguageModel, decode, encode

pytestmark = pytest.mark.train
SPECIAL = ("<pad>", "<s>", "</s>", "<sep>")


def _lm(post: str | None, **options: Any) -> LanguageModel:
    """Return a base of which only the tokenizer is looked at."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE({t: i for i, t in enumerate([*SPECIAL, *letters])}, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    if post is not None:
        raw.post_processor = processors.TemplateProcessing(
            single=post, special_tokens=[(s, raw.token_to_id(s)) for s in SPECIAL]
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<s>", eos_token="</s>", pad_token="<pad>", **options
    )
    model: Any = None
    return LanguageModel(model, tokenizer, "cpu", "tokens", "0")


@pytest.mark.parametrize(
    ("post", "before"),
    [
        (None, []),
        ("<s> $A", [1]),
        ("<s> $A </s>", [1]),
        ("$A </s>", []),
        ("<sep> <s> $A </s> </s>", [3, 1]),
        ("$A <sep> </s>", []),
    ],
)
@pytest.mark.parametrize("text", ["Question: what", "a", "a </s>", " two\n\nlines "])
def test_a_prompt_has_what_stands_before_texts_and_nothing_behind(
    post: str | None, before: list[int], text: str
) -> None:
    lm = _lm(post)
    plain = lm.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert encode(lm, [text])[0] == [*before, *plain]


@pytest.mark.parametrize("text", ["<s>[INST] Hi [/INST]", "\n<s>Hi", "<s>"])
def test_a_begin_of_text_that_the_prompt_writes_is_not_doubled(text: str) -> None:
    ids = encode(_lm("<s> $A </s>"), [text])[0]
    assert ids.count(1) == 1
    assert ids[-1] != 2


def test_a_chats_text_gets_no_mark_as_no_chat_endpoint_adds_one() -> None:
    lm = replace(_lm("<s> $A </s>"), chat=True)
    for text in ("<sep>user: Hi", "<s><sep>Hi", "Hi"):
        assert encode(lm, [text])[0] == lm.tokenizer(text, add_special_tokens=False)["input_ids"]


def test_a_tokenizer_that_marks_words_keeps_the_space_an_answer_begins_with() -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "</s>", "▁Answer", ":", "▁it", "▁is", "it", "."]
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<pad>"))
    raw.pre_tokenizer = pre_tokenizers.Metaspace()
    raw.decoder = decoders.Metaspace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="</s>", pad_token="<pad>")
    model: Any = None
    lm = LanguageModel(model, tokenizer, "cpu", "words", "0")
    prompt = [2, 3]
    assert tokenizer.decode([4, 5, 7, 1], skip_special_tokens=True) == "it is."  # the trap
    assert decode(lm, prompt, [4, 5, 7, 1]) == " it is."
    assert decode(lm, prompt, [6, 5]) == "it is"
    assert decode(lm, prompt, [1]) == ""


def test_the_text_of_bytes_is_what_was_sampled() -> None:
    lm = _lm(None)
    ids = lm.tokenizer(" größer\n", add_special_tokens=False)["input_ids"]
    assert decode(lm, lm.tokenizer("Antwort:")["input_ids"], [*ids, 2]) == " größer\n"
    assert decode(lm, [], ids) == " größer\n"
