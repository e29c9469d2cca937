from __future__ import annotations

import pytest
import torch

from paretoflow.lm.base import LanguageModel, encode
from paretoflow.lm.generation import generate
from paretoflow.lm.stops import StopTexts
from paretoflow.methods.online.ipo_md import sample_mixture
from paretoflow.spec.models import GenerationSpec, LoraSpec
from tests.conftest import TINY_TEXTS

pytestmark = pytest.mark.train

PROMPTS = TINY_TEXTS * 4
SEEDS = range(len(PROMPTS))


def answers(
    lm: LanguageModel, *stop: str, batch_size: int = 64
) -> list[tuple[str, tuple[int, ...]]]:
    gen = GenerationSpec(max_new_tokens=24, stop=stop, batch_size=batch_size)
    return [(a.text, a.token_ids) for a in generate(lm.model, lm, PROMPTS, SEEDS, gen)]


def raw(lm: LanguageModel, ids: tuple[int, ...]) -> str:
    return str(lm.tokenizer.decode(ids, skip_special_tokens=True))


def stop_of(lm: LanguageModel) -> str:
    """Return a text that stands in the middle of some answers, over more than one token."""
    text = max((raw(lm, ids) for _, ids in answers(lm)), key=len)
    middle = len(text) // 2
    return text[middle : middle + 3]


@pytest.mark.few(1)
@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_an_answer_ends_before_the_first_stop_text(tiny_lm: LanguageModel, batch_size: int) -> None:
    stop, free = stop_of(tiny_lm), answers(tiny_lm)
    cut = answers(tiny_lm, "never said at all", stop, batch_size=batch_size)
    assert any(len(ids) < len(more) for (_, ids), (_, more) in zip(cut, free, strict=True))
    for (text, ids), (_, more) in zip(cut, free, strict=True):
        assert more[: len(ids)] == ids  # the same draws, not gone on with
        assert text == raw(tiny_lm, more).partition(stop)[0]
        assert stop not in raw(tiny_lm, ids[:-1])
        assert len(ids) == len(more) or stop in raw(tiny_lm, ids)


def test_without_stop_texts_nothing_is_cut(tiny_lm: LanguageModel) -> None:
    assert answers(tiny_lm, "never said at all") == answers(tiny_lm)


def test_a_special_token_may_be_a_stop_text(tiny_lm: LanguageModel) -> None:
    tokenizer = tiny_lm.tokenizer
    special = next(t for t in tokenizer.all_special_tokens)
    ids = [*encode(tiny_lm, [TINY_TEXTS[0]])[0][:4], tokenizer.convert_tokens_to_ids(special)]
    stops = StopTexts(tokenizer, (special,))
    assert stops.ended(ids)
    assert not stops.ended(ids[:-1])
    assert stops.cut([*ids, 9, 9]) == ids


@pytest.mark.parametrize(
    ("texts", "answer", "before"),
    [
        (("\n\n",), "one\n\ntwo\n\n", "one"),
        (("User:", "###"), "a ### b User: c", "a "),
        (("b", "abc"), "abc", ""),
        (("x",), "abc", "abc"),
        ((), "abc", "abc"),
    ],
)
def test_text_before(texts: tuple[str, ...], answer: str, before: str) -> None:
    assert StopTexts(None, texts).before(answer) == before


def test_a_character_of_several_tokens_is_found(tiny_lm: LanguageModel) -> None:
    ids = tiny_lm.tokenizer("a 猫🐈 z", add_special_tokens=False)["input_ids"]
    stops = StopTexts(tiny_lm.tokenizer, ("🐈",))
    cut = stops.cut(ids)
    assert tiny_lm.tokenizer.decode(cut).endswith("🐈")
    assert len(cut) < len(ids)


def test_answers_of_the_mixture_end_there_too(tiny_lm: LanguageModel) -> None:
    from paretoflow.lm.adapters import fresh_adapter, unload

    stop, ids = ("e", "a", "t"), encode(tiny_lm, PROMPTS)
    gen = GenerationSpec(max_new_tokens=12)
    model = fresh_adapter(tiny_lm, LoraSpec(rank=2), 0)
    try:
        torch.manual_seed(1)
        free, _ = sample_mixture(model, tiny_lm, ids, 0.5, gen)
        torch.manual_seed(1)
        given = gen.model_copy(update={"stop": stop})
        cut, ratios = sample_mixture(model, tiny_lm, ids, 0.5, given)
    finally:
        unload(model)
    assert torch.isfinite(ratios).all()
    assert cut == [StopTexts(tiny_lm.tokenizer, stop).cut(row) for row in free]
    assert cut != free
