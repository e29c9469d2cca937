from __future__ import annotations

import numpy as np
import pytest
import torch

from paretoflow.core.values import FloatArray
from paretoflow.lm.base import LanguageModel, encode
from paretoflow.lm.generation import generate
from paretoflow.lm.logprobs import rated, sequence_logprobs
from paretoflow.spec.models import GenerationSpec

pytestmark = pytest.mark.train

PROMPTS = [[5, 6, 7], [5, 6, 7], [8], [20, 21, 22, 23, 24, 25, 26], [5, 6, 7], [9, 10]]
RATED = [
    "What is a dict?",
    "Keys differ.",
    "Question: What is list?\nAnswer:",
    "a",
    "What is a set?",
]
COMPLETIONS = [[30, 31], [40], [50, 51, 52, 53, 54], [60, 61, 62], [], [70]]


def _one_by_one(lm: LanguageModel) -> FloatArray:
    """Return the same by one plain forward pass for each row."""
    totals = []
    for prompt, completion in zip(PROMPTS, COMPLETIONS, strict=True):
        with torch.no_grad():
            logits = lm.model(input_ids=torch.tensor([prompt + completion])).logits[0].double()
        logprobs = logits.log_softmax(-1)
        starts = range(len(prompt) - 1, len(prompt) + len(completion) - 1)
        totals.append(sum(float(logprobs[i, t]) for i, t in zip(starts, completion, strict=True)))
    return np.array(totals)


@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_equals_a_plain_forward_pass_row_by_row(tiny_lm: LanguageModel, batch_size: int) -> None:
    found = sequence_logprobs(tiny_lm.model, tiny_lm, PROMPTS, COMPLETIONS, batch_size)
    np.testing.assert_allclose(found, _one_by_one(tiny_lm), rtol=0, atol=1e-4)


def test_an_empty_completion_is_certain(tiny_lm: LanguageModel) -> None:
    assert sequence_logprobs(tiny_lm.model, tiny_lm, PROMPTS, COMPLETIONS, 4)[4] == 0.0


def test_next_tokens_sum_to_one(tiny_lm: LanguageModel) -> None:
    vocabulary = len(tiny_lm.tokenizer)
    found = sequence_logprobs(
        tiny_lm.model, tiny_lm, [[5, 6]] * vocabulary, [[t] for t in range(vocabulary)], vocabulary
    )
    assert np.exp(found).sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("temperature", [0.0, 1.3])
def test_rating_answers_gives_what_sampling_told_of_them(
    tiny_lm: LanguageModel, temperature: float
) -> None:
    gen = GenerationSpec(max_new_tokens=40, temperature=temperature, batch_size=4)
    answers = generate(tiny_lm.model, tiny_lm, RATED, range(len(RATED)), gen)
    assert len({a.tokens for a in answers}) > 1 or temperature == 0
    found = rated(tiny_lm.model, tiny_lm, encode(tiny_lm, RATED), [a.token_ids for a in answers])
    for answer, (logprob, topk) in zip(answers, found, strict=True):
        assert logprob == pytest.approx(answer.logprob, abs=1e-4)
        assert topk == pytest.approx(answer.topk, abs=1e-5)
