from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretoflow.core.protocols import Prompt, Served
from paretoflow.lm.adapters import fresh_adapter, unload
from paretoflow.lm.base import LanguageModel
from paretoflow.lm.generation import Answer
from paretoflow.scoring import costs
from paretoflow.scoring.costs import Answering, SystemCosts, adapter_parameters
from paretoflow.scoring.evaluate import Evaluator
from paretoflow.scoring.panel import ObjectivePanel
from paretoflow.spec.models import GenerationSpec, LoraSpec
from paretoflow.spec.objectives import LengthObjectiveSpec, Measure, SystemObjectiveSpec
from tests.faults import raises

pytestmark = pytest.mark.train
MEASURES: tuple[Measure, ...] = ("latency", "tokens_per_s", "memory", "trainable_parameters")
ALL = SystemCosts(tuple((2 + i, name, name) for i, name in enumerate(MEASURES)))
MEMORY = SystemCosts(((0, "ram", "memory"),))
NUMBERS_PER_RANK = 1024
"""In and out of all linear layers: 2 x (2 x (32 + 32) + 2 x (32 + 16) + 3 x (32 + 64))."""


class Nothing:
    """Stands for the system costs in a panel."""

    def score(self, prompts: Any, completions: Any) -> Any:
        return np.zeros(len(completions))


def answer(tokens: int, seconds: float) -> Answer:
    return Answer("", tuple(range(tokens)), 0.0, (0.0, 0.0, 0.0), seconds)


@pytest.fixture
def evaluator(
    tiny_lm: LanguageModel, panel: ObjectivePanel, prompts: tuple[Prompt, ...]
) -> Evaluator:
    """Return an evaluator of two objectives of the answers and all four costs."""
    scorers = [*panel._objectives, *(Nothing() for _ in MEASURES)]
    both = ObjectivePanel([*panel.names, *MEASURES], scorers)
    gen = GenerationSpec(max_new_tokens=8, batch_size=3)
    return Evaluator(tiny_lm, gen, both, prompts, seed=3, costs=ALL)


def test_the_costs_among_a_sweeps_objectives() -> None:
    cost = SystemObjectiveSpec(type="system", name="size", measure="memory")
    found = SystemCosts.of([LengthObjectiveSpec(type="length", name="a"), cost])
    assert found.columns == ((1, "size", "memory"),)


def test_seconds_and_tokens_by_hand() -> None:
    scores = np.full((2, 6), -1.0)
    drawn = [[answer(10, 0.5), answer(4, 2.0)], [answer(20, 1.0), answer(4, 2.0)]]
    ALL.put(scores, drawn, model=None, seen=Answering(7.5))
    assert scores.tolist() == [[-1, -1, 1.5, 20, 7.5, 0], [-1, -1, 4, 2, 7.5, 0]]


@pytest.mark.parametrize("rank", [2, 8])
def test_an_adapters_size_follows_from_its_rank(tiny_lm: LanguageModel, rank: int) -> None:
    assert adapter_parameters(tiny_lm.model) == 0
    model = fresh_adapter(tiny_lm, LoraSpec(rank=rank), seed=0)
    try:
        assert adapter_parameters(model) == rank * NUMBERS_PER_RANK
    finally:
        unload(model)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="tells no peak of memory")
def test_the_peak_of_the_memory_is_that_of_the_block() -> None:
    with MEMORY.watched("cpu") as idle:
        pass
    with MEMORY.watched("cpu") as busy:
        np.ones(2**25)  # 256 MiB, gone at once
    with MEMORY.watched("cpu") as after:
        pass
    assert busy.peak_mib > idle.peak_mib + 200
    assert after.peak_mib < busy.peak_mib - 200


def test_a_system_that_tells_no_peak_is_an_error_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(costs, "_PROCESS", tmp_path / "nowhere")
    with raises("objective", "objective"):
        MEMORY.watched("cpu").__enter__()
    with SystemCosts(((0, "s", "latency"),)).watched("cpu") as seen:
        assert np.isnan(seen.peak_mib)
    (tmp_path / "status").write_text("Name:\tpython\n")
    monkeypatch.setattr(costs, "_PROCESS", tmp_path)
    with raises("objective", "objective ram"), MEMORY.watched("cpu"):
        pass


def test_an_evaluation_measures_every_cost(evaluator: Evaluator) -> None:
    model = fresh_adapter(evaluator.lm, LoraSpec(rank=2), seed=0)
    try:
        result = evaluator.evaluate(model)
    finally:
        unload(model)
    plain = replace(evaluator, costs=costs.NO_COSTS).evaluate(evaluator.lm.model)
    assert result.completions == plain.completions
    np.testing.assert_array_equal(result.prompt_scores[:2], plain.prompt_scores[:2])
    latency, speed, memory, size = result.prompt_scores[2:]
    tokens = result.cost.tokens
    assert len(set(latency)) == 2  # four prompts in batches of three
    assert 0 < latency.sum() < result.cost.wall_s
    assert (speed * latency).sum() == pytest.approx(tokens)
    assert len(set(memory)) == 1
    assert memory[0] > 100
    assert size.tolist() == [2 * NUMBERS_PER_RANK] * 4
    assert (result.stderr[2:4] > 0).all()
    assert result.stderr[4:].tolist() == [0.0, 0.0]
    assert (plain.prompt_scores[2:] == 0).all()


def test_a_look_measures_every_cost(evaluator: Evaluator) -> None:
    found = evaluator.prompt_scores(evaluator.lm.model, evaluator.prompts[:2]).mean(axis=0)
    assert (found[2:5] > 0).all()
    assert found[5] == 0


def test_choosing_among_answers_is_paid_for_and_not_decided_by_cost(evaluator: Evaluator) -> None:
    spread = np.array([1.0, 1.0, 1e-8, 1e-8, 1e-8, 1e-8])  # as of candidates
    judge = replace(evaluator, standardised=lambda scores: scores / spread)
    letters = Served(np.array([0.5, 0, 0.5, 0, 0, 0]), {})
    asked = replace(letters, draws=(letters, letters))
    model = evaluator.lm.model
    chosen = judge.evaluate(model, served=asked)
    plain = replace(judge, costs=costs.NO_COSTS).evaluate(model, served=asked)
    assert chosen.completions == plain.completions
    latency, speed = chosen.prompt_scores[2:4]
    assert (latency * speed).sum() == pytest.approx(chosen.cost.tokens)
