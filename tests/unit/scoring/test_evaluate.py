from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from paretoflow.core.protocols import Candidates, Prompt
from paretoflow.lm.adapters import fresh_adapter, unload
from paretoflow.lm.base import LanguageModel, encode
from paretoflow.lm.logprobs import sequence_logprobs
from paretoflow.scoring.answers import answers_path, write_answers
from paretoflow.scoring.evaluate import Evaluator
from paretoflow.scoring.panel import ObjectivePanel
from paretoflow.spec.models import GenerationSpec, LoraSpec

pytestmark = pytest.mark.train
GEN = GenerationSpec(max_new_tokens=8)


@pytest.fixture
def evaluator(
    tiny_lm: LanguageModel, panel: ObjectivePanel, prompts: tuple[Prompt, ...]
) -> Evaluator:
    return Evaluator(tiny_lm, GEN, panel, prompts, seed=3)


@pytest.fixture
def adapted(tiny_lm: LanguageModel) -> Iterator[Any]:
    """Yield a PEFT model whose adapter was pushed away from the base by hand."""
    model = fresh_adapter(tiny_lm, LoraSpec(rank=2), seed=0).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.fill_(0.02)
    yield model
    unload(model)


def _held_out(lm: LanguageModel, prompts: tuple[Prompt, ...]) -> Candidates:
    """Return two prompts with three answers each; the first objective prefers the first answer."""
    return Candidates(
        prompts=prompts[:2],
        completions=(("a", "b", "c"), ("d", "e", "f")),
        completion_ids=(((5,), (6,), (7, 8)), ((9,), (10,), (11,))),
        prompt_ids=tuple(map(tuple, encode(lm, [p.text for p in prompts[:2]]))),
        gains=np.array([[[3.0, 0], [2, 0], [1, 1]], [[3, 0], [2, 0], [1, 1]]]),
        mean=np.zeros(2),
        std=np.ones(2),
        ref_logprobs=np.zeros((2, 3)),
    )


def test_scores_and_errors_come_from_the_answers(evaluator: Evaluator) -> None:
    result = evaluator.evaluate(evaluator.lm.model)
    letters = np.array([sum(ch.isalpha() for ch in c) for c in result.completions])
    lengths = np.array([len(c) for c in result.completions])
    np.testing.assert_array_equal(result.prompt_scores, [letters, lengths])
    np.testing.assert_allclose(result.scores, [letters.mean(), lengths.mean()])
    spread = np.sqrt(((lengths - lengths.mean()) ** 2).sum() / 3)
    assert result.stderr[1] == pytest.approx(spread / 2)  # four prompts
    assert result.cost.tokens >= result.diagnostics["length_tokens"] * 4
    assert result.cost.wall_s > 0
    topk = {"topk_entropy", "topk_entropy_renormalised", "topk_mass"}
    assert set(result.diagnostics) == {"kl", "length_tokens", "cut_off"} | topk
    assert result.diagnostics["kl"] == 0.0


def test_the_same_policy_is_scored_alike_twice_and_in_any_batch(evaluator: Evaluator) -> None:
    first = evaluator.evaluate(evaluator.lm.model)
    small = replace(evaluator, generation=GEN.model_copy(update={"batch_size": 1}))
    assert small.evaluate(evaluator.lm.model).completions == first.completions
    other = replace(evaluator, seed=4).evaluate(evaluator.lm.model)
    assert other.completions != first.completions


def test_a_further_draw_has_noise_of_its_own_and_the_same_for_every_policy(
    evaluator: Evaluator,
) -> None:
    model = evaluator.lm.model
    draws = [evaluator.evaluate(model, draw=number).completions for number in range(3)]
    assert draws[0] == evaluator.evaluate(model).completions
    assert len(set(draws)) == 3
    adapted = fresh_adapter(evaluator.lm, LoraSpec(rank=2), seed=0)
    try:  # untrained, it answers as the base does wherever the noise is the same
        assert evaluator.evaluate(adapted, draw=2).completions == draws[2]
    finally:
        unload(adapted)


def test_mean_scores_are_those_of_the_same_prompts(
    evaluator: Evaluator, prompts: tuple[Prompt, ...]
) -> None:
    model = evaluator.lm.model
    result = evaluator.evaluate(model)
    found = evaluator.prompt_scores(model, prompts[1:3]).mean(axis=0)
    np.testing.assert_allclose(found, result.prompt_scores[:, 1:3].mean(axis=1))


def test_a_look_has_the_noise_of_each_draw(
    evaluator: Evaluator, prompts: tuple[Prompt, ...]
) -> None:
    model = evaluator.lm.model
    draws = [evaluator.evaluate(model, draw=number).prompt_scores.T for number in range(2)]
    np.testing.assert_allclose(evaluator.prompt_scores(model, prompts), draws[0])
    np.testing.assert_allclose(evaluator.prompt_scores(model, prompts, 2), np.mean(draws, axis=0))


def test_kl_is_the_mean_log_ratio_of_the_answers(evaluator: Evaluator, adapted: Any) -> None:
    result = evaluator.evaluate(adapted)
    answers = evaluator._answers(adapted, evaluator.prompts)
    ids = encode(evaluator.lm, [p.text for p in evaluator.prompts])
    pi = sequence_logprobs(adapted, evaluator.lm, ids, [a.token_ids for a in answers], 4)
    with adapted.disable_adapter():
        base = sequence_logprobs(adapted, evaluator.lm, ids, [a.token_ids for a in answers], 4)
    assert result.diagnostics["kl"] == pytest.approx(float((pi - base).mean()), abs=1e-4)
    assert abs(result.diagnostics["kl"]) > 1e-3


def test_an_untrained_adapter_is_at_distance_zero(evaluator: Evaluator) -> None:
    model = fresh_adapter(evaluator.lm, LoraSpec(rank=2), seed=0)
    try:
        result = evaluator.evaluate(model)
    finally:
        unload(model)
    assert result.diagnostics["kl"] == pytest.approx(0.0, abs=1e-4)
    assert result.completions == evaluator.evaluate(evaluator.lm.model).completions


def test_a_look_in_the_middle_of_training_disturbs_nothing(
    evaluator: Evaluator, prompts: tuple[Prompt, ...]
) -> None:
    model = fresh_adapter(evaluator.lm, LoraSpec(rank=2, dropout=0.5), seed=0).train()
    trainable = [name for name, p in model.named_parameters() if p.requires_grad]
    random_state = torch.random.get_rng_state()
    try:
        first, again = evaluator.evaluate(model), evaluator.evaluate(model)
        evaluator.prompt_scores(model, prompts)
        assert first.completions == again.completions  # no dropout
        assert model.training
        assert trainable == [name for name, p in model.named_parameters() if p.requires_grad]
        assert torch.equal(torch.random.get_rng_state(), random_state)
    finally:
        unload(model)


def test_ranking_accuracy_counts_pairs_under_the_weights(
    evaluator: Evaluator, prompts: tuple[Prompt, ...]
) -> None:
    held_out = _held_out(evaluator.lm, prompts)
    judge = replace(evaluator, held_out=held_out)
    model = evaluator.lm.model
    logprobs = sequence_logprobs(
        model,
        evaluator.lm,
        [held_out.prompt_ids[i] for i in (0, 0, 0, 1, 1, 1)],
        [ids for row in held_out.completion_ids for ids in row],
        1,
    ).reshape(2, 3)
    right = sum(row[a] >= row[b] for row in logprobs for a, b in [(0, 1), (0, 2), (1, 2)])
    first = judge.evaluate(model, np.array([1.0, 0.0])).diagnostics["ranking_accuracy"]
    assert first == pytest.approx(right / 6)
    # the second objective prefers the third answer and does not tell the others apart
    right = sum(row[2] >= row[b] for row in logprobs for b in (0, 1))
    second = judge.evaluate(model, np.array([0.0, 1.0])).diagnostics["ranking_accuracy"]
    assert second == pytest.approx(right / 4)
    assert "ranking_accuracy" not in judge.evaluate(model).diagnostics


def test_answers_are_kept_in_one_arrow_file(evaluator: Evaluator, tmp_path: Path) -> None:
    result = evaluator.evaluate(evaluator.lm.model)
    path = Path(answers_path(tmp_path, "r0001-abc-a0-s0040"))
    write_answers(str(path), evaluator.prompts, evaluator.panel.names, result)
    assert [p.name for p in path.parent.iterdir()] == ["r0001-abc-a0-s0040.arrow"]
    with pa.OSFile(str(path)) as source:
        rows = pa.ipc.open_file(source).read_all().to_pylist()
    assert [row["completion"] for row in rows] == list(result.completions)
    assert list(rows[0]) == [
        "prompt_id", "prompt", "reference", "completion", "letters", "length",
    ]  # fmt: skip
    assert rows[2]["length"] == result.prompt_scores[1, 2]
    assert rows[2]["prompt_id"] == "p2"
