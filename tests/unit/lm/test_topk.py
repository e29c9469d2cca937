from __future__ import annotations

import pytest
import torch

from paretoflow.lm.base import LanguageModel, encode
from paretoflow.lm.generation import generate
from paretoflow.lm.topk import topk_of_tokens
from paretoflow.spec.models import GenerationSpec
from tests.conftest import TINY_TEXTS

pytestmark = pytest.mark.train


def test_topk_by_hand() -> None:
    logits = torch.tensor([[0.5, 0.125, 0.25, 0.125]]).log() + 3.0  # a shift changes nothing
    raw, renormalised, mass = topk_of_tokens(logits, k=2)[0].tolist()
    assert raw == pytest.approx(1.0)
    assert renormalised == pytest.approx(0.918296, abs=1e-5)
    assert mass == pytest.approx(0.75)


def test_topk_of_everything_is_the_entropy_and_of_certainty_nothing() -> None:
    logits = torch.randn(7, 20, generator=torch.Generator().manual_seed(0))
    p = logits.softmax(-1)
    found = topk_of_tokens(logits, k=50)
    entropy = -(p * p.log2()).sum(-1)
    torch.testing.assert_close(found, torch.stack([entropy, entropy, torch.ones(7)], -1))
    certain = topk_of_tokens(torch.tensor([[0.0, -3e38, -torch.inf]]))
    torch.testing.assert_close(certain, torch.tensor([[0.0, 0.0, 1.0]]))


def test_an_answer_holds_the_means_over_its_tokens(tiny_lm: LanguageModel) -> None:
    gen = GenerationSpec(max_new_tokens=6, temperature=0.7, batch_size=2)
    answers = generate(tiny_lm.model, tiny_lm, TINY_TEXTS, range(4), gen)
    for prompt, answer in zip(encode(tiny_lm, TINY_TEXTS), answers, strict=True):
        with torch.no_grad():
            ids = torch.tensor([[*prompt, *answer.token_ids]])
            logits = tiny_lm.model(input_ids=ids).logits[0, len(prompt) - 1 : -1]
        expected = topk_of_tokens(logits).mean(0).tolist()
        assert answer.topk == pytest.approx(expected, abs=1e-4)
