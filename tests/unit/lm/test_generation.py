from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from paretoflow.lm.base import LanguageModel, encode
from paretoflow.lm.generation import Answer, cut_off, generate
from paretoflow.lm.logprobs import sequence_logprobs
from paretoflow.spec.models import GenerationSpec
from tests.conftest import TINY_TEXTS
from tests.faults import raises

pytestmark = pytest.mark.train

PROMPTS = [
    *TINY_TEXTS,
    "What is dict?",
    "Question: What is a list?\nAnswer:",
    TINY_TEXTS[0] + " A dict maps keys.\nQuestion: And?\nAnswer:",
] * 3
SEEDS = range(len(PROMPTS))


@pytest.fixture
def brief_lm(tiny_lm: LanguageModel) -> Iterator[LanguageModel]:
    """Hand out a model with many end-of-text tokens, so that rows end at different times."""
    config = tiny_lm.model.generation_config
    before = config.eos_token_id
    config.eos_token_id = [before, *range(100, 140)]
    yield tiny_lm
    config.eos_token_id = before


def _answers(lm: LanguageModel, batch_size: int = 64, temperature: float = 1.0) -> list[Answer]:
    gen = GenerationSpec(max_new_tokens=24, batch_size=batch_size, temperature=temperature)
    return generate(lm.model, lm, PROMPTS, SEEDS, gen)


def _ids(answers: list[Answer]) -> list[tuple[int, ...]]:
    return [a.token_ids for a in answers]


@pytest.mark.parametrize("batch_size", [1, 7])
def test_batch_size_changes_no_answer(brief_lm: LanguageModel, batch_size: int) -> None:
    whole, parts = _answers(brief_lm), _answers(brief_lm, batch_size)
    assert _ids(parts) == _ids(whole)
    assert [a.text for a in parts] == [a.text for a in whole]
    np.testing.assert_allclose(
        [a.logprob for a in parts], [a.logprob for a in whole], rtol=0, atol=1e-4
    )
    lengths = {a.tokens for a in whole}
    assert len(lengths) > 5  # rows really left the batch at different times


def test_order_changes_no_answer(brief_lm: LanguageModel) -> None:
    order = np.random.default_rng(0).permutation(len(PROMPTS))
    gen = GenerationSpec(max_new_tokens=24, batch_size=5)
    shuffled = generate(
        brief_lm.model, brief_lm, [PROMPTS[i] for i in order], [SEEDS[i] for i in order], gen
    )
    whole = _ids(_answers(brief_lm))
    assert _ids(shuffled) == [whole[i] for i in order]


def test_answers_end_at_the_end_of_text_token_or_the_limit(brief_lm: LanguageModel) -> None:
    for answer in _answers(brief_lm):
        assert not brief_lm.eos_ids.intersection(answer.token_ids[:-1])
        assert answer.tokens == 24 or answer.token_ids[-1] in brief_lm.eos_ids
        assert "<eos>" not in answer.text


def test_an_answer_is_cut_off_only_where_nothing_else_ended_it(tiny_lm: LanguageModel) -> None:
    eos = tiny_lm.tokenizer.eos_token_id
    (stop,) = tiny_lm.tokenizer("?", add_special_tokens=False)["input_ids"]
    gen = GenerationSpec(max_new_tokens=3)
    for ids, cut in {(7, 8, 9): True, (7, 8, eos): False, (7, eos): False, (7, 8): False}.items():
        assert cut_off(Answer("", ids, 0.0, (0.0, 0.0, 0.0)), tiny_lm, gen) is cut
    stopped = Answer("", (7, 8, stop), 0.0, (0.0, 0.0, 0.0))
    assert cut_off(stopped, tiny_lm, gen)
    assert not cut_off(stopped, tiny_lm, gen.model_copy(update={"stop": ("?",)}))


def test_the_seed_decides_the_answer(tiny_lm: LanguageModel) -> None:
    gen = GenerationSpec(max_new_tokens=8)
    answers = _ids(generate(tiny_lm.model, tiny_lm, TINY_TEXTS[:1] * 3, [1, 1, 2], gen))
    assert answers[0] == answers[1] != answers[2]


def test_temperature_zero_takes_the_likeliest_token(tiny_lm: LanguageModel) -> None:
    gen = GenerationSpec(max_new_tokens=6, temperature=0)
    answers = generate(tiny_lm.model, tiny_lm, TINY_TEXTS, [0, 1, 2, 3], gen)
    for prompt, answer in zip(encode(tiny_lm, TINY_TEXTS), answers, strict=True):
        ids = list(prompt)
        for token in answer.token_ids:
            with torch.no_grad():
                logits = tiny_lm.model(input_ids=torch.tensor([ids])).logits[0, -1]
            assert token == int(logits.argmax())
            ids.append(token)


def test_a_batch_shares_its_time_out_evenly(tiny_lm: LanguageModel) -> None:
    gen = GenerationSpec(max_new_tokens=4, batch_size=3)
    started = time.perf_counter()
    answers = generate(tiny_lm.model, tiny_lm, TINY_TEXTS, range(4), gen)
    whole = time.perf_counter() - started
    seconds = [a.seconds for a in answers]
    assert sorted(Counter(seconds).values()) == [1, 3]  # four prompts in batches of three
    assert 0 < sum(seconds) < whole


@pytest.mark.few(1)
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_draws_follow_the_softmax(tiny_lm: LanguageModel, temperature: float) -> None:
    """Pearson's statistic over the likely tokens stays under the 99.9 % point of chi-squared."""
    draws = 4000
    gen = GenerationSpec(max_new_tokens=1, temperature=temperature, batch_size=draws)
    answers = generate(tiny_lm.model, tiny_lm, TINY_TEXTS[:1] * draws, range(draws), gen)
    with torch.no_grad():
        ids = torch.tensor(encode(tiny_lm, TINY_TEXTS[:1]))
        logits = tiny_lm.model(input_ids=ids).logits[0, -1].double()
    expected = (logits / temperature).softmax(-1).numpy() * draws
    counts = Counter(a.token_ids[0] for a in answers)
    observed = np.array([counts[i] for i in range(len(expected))], dtype=np.float64)
    likely = expected >= 5
    cells_expected = np.append(expected[likely], expected[~likely].sum())
    cells_observed = np.append(observed[likely], observed[~likely].sum())
    statistic = float(((cells_observed - cells_expected) ** 2 / cells_expected).sum())
    freedom = len(cells_expected) - 1
    assert freedom >= 5
    # Wilson-Hilferty: the cube root of chi-squared over its degrees of freedom is near normal
    limit = freedom * (1 - 2 / (9 * freedom) + 3.09 * np.sqrt(2 / (9 * freedom))) ** 3
    assert statistic < limit


def test_the_models_mode_is_left_as_it_was(tiny_lm: LanguageModel) -> None:
    tiny_lm.model.train()
    try:
        generate(tiny_lm.model, tiny_lm, TINY_TEXTS, range(4), GenerationSpec(max_new_tokens=2))
        assert tiny_lm.model.training
    finally:
        tiny_lm.model.eval()


def test_a_prompt_without_room_for_an_answer_is_refused(tiny_lm: LanguageModel) -> None:
    with raises("data-too-long", "prompt 1", "takes 256"):
        generate(
            tiny_lm.model,
            tiny_lm,
            ["short", "long " * 90],
            [0, 1],
            GenerationSpec(max_new_tokens=96),
        )


def test_no_prompts_give_no_answers(tiny_lm: LanguageModel) -> None:
    assert generate(tiny_lm.model, tiny_lm, [], [], GenerationSpec()) == []


def test_logprobs_of_sampling_and_of_scoring_agree(brief_lm: LanguageModel) -> None:
    answers = _answers(brief_lm, temperature=0.7)
    scored = sequence_logprobs(
        brief_lm.model, brief_lm, encode(brief_lm, PROMPTS), _ids(answers), batch_size=5
    )
    np.testing.assert_allclose([a.logprob for a in answers], scored, rtol=0, atol=1e-4)
