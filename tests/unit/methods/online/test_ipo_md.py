"""The judged pair, and what the mixture draws."""

from __future__ import annotations

import numpy as np
import pytest

from paretoflow.methods.online.aggregators import RewardBatch
from paretoflow.methods.online.aggregators.base import group_normalised
from paretoflow.spec.models import GenerationSpec, LoraSpec
from tests.conftest import TINY_TEXTS

pytestmark = pytest.mark.train

torch = pytest.importorskip("torch")


def test_the_margin_that_a_pair_lacks_by_hand():
    from paretoflow.methods.online.ipo_md import lacking_margins

    utility = np.array([[2.0, 1.0], [1.0, 2.0], [1.0, 1.0 + 1e-12]])
    ratios = np.array([[0.3, 0.1]] * 3)
    np.testing.assert_allclose(lacking_margins(utility, ratios, 0.5), [0.8, -1.2, -0.2])


def test_swapping_the_answers_of_a_pair_turns_its_sign():
    from paretoflow.methods.online.ipo_md import lacking_margins

    utility, ratios = np.random.default_rng(0).normal(size=(2, 5, 2))
    swapped = lacking_margins(utility[:, ::-1], ratios[:, ::-1], 0.1)
    np.testing.assert_allclose(swapped, -lacking_margins(utility, ratios, 0.1))


def test_advantages_and_loss_by_hand():
    from paretoflow.methods.online.ipo_md import PairJudge

    judge = PairJudge(0.5)
    judge.log_ratios = np.array([[0.3, 0.1]])
    rewards, weights = np.array([[[0.0, 2.0], [1.0, 0.0]]]), np.array([0.5, 0.5])
    batch = RewardBatch(rewards, weights, np.zeros(1, int), np.ones((1, 2), int), group_normalised)
    np.testing.assert_allclose(judge.advantages(batch), [[3.2, -3.2]])
    assert judge.metrics() == {"pair_loss": pytest.approx(0.64)}


@pytest.fixture
def adapted(tiny_lm):
    """Return the base under an adapter that changes it a lot."""
    from paretoflow.lm.adapters import fresh_adapter, unload

    model = fresh_adapter(tiny_lm, LoraSpec(rank=4, alpha=8), 0)
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=2.0)
    yield model
    unload(model)


def chance(model, ids: list[int]):
    with torch.no_grad():
        return (model(torch.tensor([ids])).logits[0, -1] / 0.7).softmax(-1).double().numpy()


@pytest.mark.parametrize("mixture", [0.0, 0.4, 1.0])
def test_tokens_come_from_the_mixture_and_carry_their_log_ratio(mixture, adapted, tiny_lm):
    from paretoflow.lm.base import encode
    from paretoflow.methods.online.ipo_md import sample_mixture

    torch.manual_seed(1)
    prompts = encode(tiny_lm, TINY_TEXTS)[:2]
    gen = GenerationSpec(max_new_tokens=1, temperature=0.7)
    count = 4000
    answers, ratios = sample_mixture(adapted, tiny_lm, prompts * count, mixture, gen)
    own = chance(adapted, prompts[1])
    with adapted.disable_adapter():
        base = chance(adapted, prompts[1])
    assert np.abs(own - base).sum() > 0.2
    expected = own ** (1 - mixture) * base**mixture
    tokens = np.array([answer[0] for answer in answers[1::2]])
    seen = np.bincount(tokens, minlength=len(own)) / count
    # a total variation that the draws of `count` tokens hardly ever reach
    spread = np.sqrt(expected / expected.sum() / count).sum()
    assert np.abs(seen - expected / expected.sum()).sum() < spread
    np.testing.assert_allclose(ratios[1::2], np.log(own / base)[tokens], atol=1e-3)


def test_an_answer_ends_at_the_end_of_text_and_its_log_ratio_there(adapted, tiny_lm, monkeypatch):
    from paretoflow.lm.base import encode
    from paretoflow.methods.online.ipo_md import sample_mixture

    eos, letter = min(tiny_lm.eos_ids), tiny_lm.tokenizer.get_vocab()["e"]
    script = iter([[letter, letter], [letter, eos], [letter, letter]])
    monkeypatch.setattr(torch, "multinomial", lambda *_: torch.tensor(next(script))[:, None])
    prompts = encode(tiny_lm, TINY_TEXTS)[:2]
    gen = GenerationSpec(max_new_tokens=3, temperature=0.7)
    answers, ratios = sample_mixture(adapted, tiny_lm, prompts, 0.5, gen)
    assert answers == [[letter] * 3, [letter, eos]]
    for prompt, answer, ratio in zip(prompts, answers, ratios.tolist(), strict=True):
        before = [[*prompt, *answer[:t]] for t in range(len(answer))]
        own = [chance(adapted, ids)[t] for ids, t in zip(before, answer, strict=True)]
        with adapted.disable_adapter():
            base = [chance(adapted, ids)[t] for ids, t in zip(before, answer, strict=True)]
        assert ratio == pytest.approx(np.log(np.divide(own, base)).mean(), abs=1e-4)
