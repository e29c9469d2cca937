"""One snapshot asked for many preferences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from paretoflow.core.ids import seed_of
from paretoflow.core.protocols import Prompt, Served
from paretoflow.core.values import FloatArray
from paretoflow.lm.adapters import fresh_adapter, unload
from paretoflow.lm.base import LanguageModel, encode
from paretoflow.lm.generation import generate
from paretoflow.lm.logprobs import sequence_logprobs
from paretoflow.scoring.evaluate import Evaluator
from paretoflow.scoring.panel import ObjectivePanel
from paretoflow.spec.models import GenerationSpec, LoraSpec
from tests.faults import raises

pytestmark = pytest.mark.train
GEN = GenerationSpec(max_new_tokens=6)
LETTERS, SHORTNESS = np.array([1.0, 0.0]), np.array([0.0, 1.0])


def gains(scores: FloatArray) -> FloatArray:
    """Return the panel's scores standardised by hand: letters to maximise, length to minimise."""
    return np.asarray(scores * [1.0, -1.0] / 3.0)


@pytest.fixture
def evaluator(
    tiny_lm: LanguageModel, panel: ObjectivePanel, prompts: tuple[Prompt, ...]
) -> Evaluator:
    return Evaluator(tiny_lm, GEN, panel, prompts, seed=3, standardised=gains)


@pytest.fixture
def adapted(tiny_lm: LanguageModel) -> Iterator[Any]:
    import torch

    model = fresh_adapter(tiny_lm, LoraSpec(rank=2), seed=0).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.fill_(0.02)
    yield model
    unload(model)


def asked(weights: FloatArray = LETTERS, word: str = "Type ", **fields: Any) -> Served:
    return Served(weights, {"prefix": word}, rewrite=lambda text: word + text, **fields)


def test_the_model_reads_the_rewritten_prompt_and_scorers_the_plain_one(
    evaluator: Evaluator, prompts: tuple[Prompt, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = []
    own = ObjectivePanel.score

    def score(self: Any, given: Any, completions: Any) -> Any:
        scored.append((tuple(given), list(completions)))
        return own(self, given, completions)

    monkeypatch.setattr(ObjectivePanel, "score", score)
    lm = evaluator.lm
    result = evaluator.evaluate(lm.model, LETTERS, asked())
    seeds = [seed_of(3, p.prompt_id) for p in prompts]
    expected = generate(lm.model, lm, ["Type " + p.text for p in prompts], seeds, GEN)
    assert result.completions == tuple(a.text.strip() for a in expected)
    assert scored == [(prompts, [a.text for a in expected])]


def test_kl_is_between_the_asked_policy_and_the_base_as_it_is(
    evaluator: Evaluator, adapted: Any, prompts: tuple[Prompt, ...]
) -> None:
    result = evaluator.evaluate(adapted, LETTERS, asked())
    lm = evaluator.lm
    answers = evaluator._answers(adapted, prompts, asked())
    ids = [a.token_ids for a in answers]
    rewritten = encode(lm, ["Type " + p.text for p in prompts])
    pi = sequence_logprobs(adapted, lm, rewritten, ids, 4)
    with adapted.disable_adapter():
        base = sequence_logprobs(adapted, lm, encode(lm, [p.text for p in prompts]), ids, 4)
    assert result.diagnostics["kl"] == pytest.approx(float((pi - base).mean()), abs=1e-4)


def test_the_policy_of_a_condition_answers_and_is_left_again(
    evaluator: Evaluator, adapted: Any
) -> None:
    inside: list[str] = []

    @contextmanager
    def without_adapter(model: Any) -> Iterator[Any]:
        inside.append("in")
        with model.disable_adapter():
            yield model
        inside.append("out")

    served = Served(LETTERS, {}, policy=without_adapter)
    result = evaluator.evaluate(adapted, LETTERS, served)
    with adapted.disable_adapter():
        assert result.completions == evaluator.evaluate(adapted).completions
    assert result.diagnostics["kl"] == pytest.approx(0.0, abs=1e-5)
    assert inside[:2] == ["in", "out"]


@pytest.mark.parametrize("weights", [LETTERS, SHORTNESS])
def test_of_several_answers_the_best_along_the_preference_is_kept(
    weights: FloatArray, evaluator: Evaluator
) -> None:
    draws = (asked(), asked(word="A "), asked())
    model = evaluator.lm.model
    result = evaluator.evaluate(model, weights, asked(weights, draws=draws))
    each = [
        [a.text for a in evaluator._answers(model, evaluator.prompts, draw, number)]
        for number, draw in enumerate(draws)
    ]
    scores = np.stack([evaluator.panel.score(evaluator.prompts, texts) for texts in each])
    merits = gains(scores) @ weights
    assert each[0] != each[2]  # the same question again has other noise
    for prompt, kept in enumerate(result.completions):
        best = int(merits[:, prompt].argmax())
        assert kept == each[best][prompt].strip()
        assert result.prompt_scores[:, prompt].tolist() == scores[best, prompt].tolist()


def test_choosing_costs_all_answers_and_one_draw_is_no_choice(evaluator: Evaluator) -> None:
    model = evaluator.lm.model
    alone = evaluator.evaluate(model, LETTERS, asked())
    once = evaluator.evaluate(model, LETTERS, asked(draws=(asked(),)))
    assert once.completions == alone.completions
    assert once.cost.tokens == alone.cost.tokens
    thrice = evaluator.evaluate(model, LETTERS, asked(draws=(asked(),) * 3))
    each = [evaluator._answers(model, evaluator.prompts, asked(), number) for number in range(3)]
    assert thrice.cost.tokens == sum(a.tokens for answers in each for a in answers)
    assert (thrice.prompt_scores[0] >= alone.prompt_scores[0]).all()


def test_a_choice_without_a_scale_is_refused(evaluator: Evaluator) -> None:
    blind = replace(evaluator, standardised=None)
    with raises("training", "standardises"):
        blind.evaluate(blind.lm.model, LETTERS, asked(draws=(asked(),) * 2))
