"""What every objective promises, run over every tag."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from pydantic import TypeAdapter

from paretoflow.core.protocols import Objective, Prompt
from paretoflow.objectives import TAGS, build
from paretoflow.spec.objectives import ObjectiveSpec
from tests.classifiers import save_decoder
from tests.judge_endpoint import JudgeEndpoint, judge_endpoint

PASSAGE = "The cat sat on a mat. Then the cat slept; a dog ran by."
EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "length": [{}, {"count": "tokens"}],
    "rouge": [{}, {"variant": "rouge1", "measure": "fmeasure"}, {"variant": "rouge2"}],
    "grounding": [{}, {"n": 1}],
    "regex": [{"pattern": r"c.t", "count": "all"}, {"keywords": ["cat", "dog"]}],
    "reward_model": [{"path": "filled in"}, {"path": "filled in", "output": 2, "batch_size": 3}],
    "import": [{"path": "my_scorers:vowels", "kwargs": {"scale": 0.5}}],
    "judge": [{"rubric": "Longer is better.", "model": "a-judge", "scale": [1, 20]}],
    "system": [{"measure": "latency", "range": [0, 9]}],
}
CASES = [
    pytest.param(
        tag,
        options,
        id=f"{tag}-{index}",
        marks=[pytest.mark.train] if tag == "reward_model" else [],
    )
    for tag, all_options in EXAMPLES.items()
    for index, options in enumerate(all_options)
]
ANSWERS = (
    "The cat sat.",
    "",
    "a dog, a cat",
    "naïve Ünïcode 猫 🐈‍⬛",
    "cat " * 40,
    "\n",
    "Then it slept",
)
PROMPTS = tuple(
    Prompt(f"id{i}", f"Question {i}?", "the cat sat down", (PASSAGE,), extra={"row": i})
    for i in range(len(ANSWERS))
)


@pytest.fixture
def endpoint() -> Iterator[JudgeEndpoint]:
    with judge_endpoint() as found:
        yield found


@pytest.fixture
def objective(
    request: pytest.FixtureRequest,
    tag: str,
    options: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Objective:
    (tmp_path / "my_scorers.py").write_text(
        "def vowels(prompts, completions, scale):\n"
        "    return [scale * sum(ch in 'aeiou' for ch in c) for c in completions]\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_scorers", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    if tag == "reward_model":
        options = {**options, "path": str(save_decoder(tmp_path / "reward"))}
    if tag == "judge":
        pytest.importorskip("openai")
        options = {**options, "base_url": request.getfixturevalue("endpoint").url}
    spec = TypeAdapter(ObjectiveSpec).validate_python({"type": tag, "name": "x", **options})
    return build(spec, count_tokens=lambda texts: [len(t.encode()) for t in texts])


def test_union_table_and_examples_name_the_same_tags() -> None:
    models = get_args(get_args(ObjectiveSpec)[0])
    union = {get_args(model.model_fields["type"].annotation)[0] for model in models}
    assert union == set(TAGS) == set(EXAMPLES)


@pytest.mark.parametrize(("tag", "options"), CASES)
def test_one_finite_score_per_answer(objective: Objective, tag: str) -> None:
    scores = objective.score(PROMPTS, ANSWERS)
    assert scores.shape == (len(ANSWERS),)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    assert (np.ptp(scores) > 0) == (tag != "system")  # no answer tells what it cost


@pytest.mark.parametrize(("tag", "options"), CASES)
def test_an_empty_batch_has_no_scores(objective: Objective) -> None:
    assert objective.score((), ()).shape == (0,)


@pytest.mark.parametrize(("tag", "options"), CASES)
def test_scores_follow_their_answers_and_ignore_the_rest_of_the_batch(objective: Objective) -> None:
    whole = objective.score(PROMPTS, ANSWERS)
    order = np.random.default_rng(0).permutation(len(ANSWERS))
    permuted = objective.score([PROMPTS[i] for i in order], [ANSWERS[i] for i in order])
    single = [objective.score([p], [a])[0] for p, a in zip(PROMPTS, ANSWERS, strict=True)]
    halves = [objective.score(PROMPTS[:3], ANSWERS[:3]), objective.score(PROMPTS[3:], ANSWERS[3:])]
    np.testing.assert_allclose(permuted, whole[order], atol=1e-5)
    np.testing.assert_allclose(single, whole, atol=1e-5)
    np.testing.assert_allclose(np.concatenate(halves), whole, atol=1e-5)


@pytest.mark.parametrize(("tag", "options"), CASES)
def test_neither_prompts_nor_answers_are_changed(objective: Objective) -> None:
    prompts, answers = list(PROMPTS), list(ANSWERS)
    first = objective.score(prompts, answers)
    assert prompts == list(PROMPTS)
    assert answers == list(ANSWERS)
    np.testing.assert_array_equal(first, objective.score(prompts, answers))


@pytest.mark.parametrize(
    ("tag", "options", "answer", "expected"),
    [
        ("length", {}, "three short words", 3.0),
        ("length", {"count": "tokens"}, "four", 4.0),
        # reference "the cat sat down"; the answer shares "the" and "cat" of its 3 words
        ("rouge", {"variant": "rouge1", "measure": "recall"}, "the cat lay", 2 / 4),
        ("rouge", {"variant": "rouge1", "measure": "precision"}, "the cat lay", 2 / 3),
        ("rouge", {"variant": "rouge1", "measure": "fmeasure"}, "the cat lay", 4 / 7),
        ("rouge", {"variant": "rouge2", "measure": "recall"}, "the cat lay", 1 / 3),
        # longest common subsequence "cat down" although "the" occurs too, out of order
        ("rouge", {"variant": "rougeL", "measure": "recall"}, "cat the down", 2 / 4),
        # (the, cat), (cat, sat) stand in the passage, (sat, still) does not
        ("grounding", {"n": 2}, "the cat SAT still", 2 / 3),
        ("grounding", {"n": 1}, "the cat sat still", 3 / 4),
        ("grounding", {"n": 3}, "cat slept", 0.0),
        ("regex", {"pattern": "c.t"}, "cat, Cut, cost", 1.0),
        ("regex", {"pattern": "c.t", "count": "all"}, "cat, Cut, cost", 2.0),
        ("regex", {"keywords": ["cat"], "count": "all"}, "cats cat concat CAT", 2.0),
        ("import", {"path": "my_scorers:vowels", "kwargs": {"scale": 2.0}}, "queue", 8.0),
        ("system", {"measure": "memory", "range": [0, 9]}, "queue", 0.0),
    ],
)
def test_values_worked_by_hand(objective: Objective, answer: str, expected: float) -> None:
    assert objective.score(PROMPTS[:1], [answer])[0] == pytest.approx(expected)
