from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from paretoflow.core.errors import LedgerError
from paretoflow.core.protocols import Prompt
from paretoflow.core.values import Direction
from paretoflow.lm.base import LanguageModel, encode
from paretoflow.lm.logprobs import sequence_logprobs
from paretoflow.scoring.arrow_files import read_table, write_table
from paretoflow.scoring.panel import ObjectivePanel
from paretoflow.scoring.shared import SharedStage, raw_scores
from paretoflow.spec.models import GenerationSpec
from paretoflow.spec.objectives import ObjectiveSpec
from paretoflow.storage import as_folder
from tests.faults import raises
from tests.unit.scoring.conftest import Letters

pytestmark = pytest.mark.train


@pytest.fixture
def stage(
    tmp_path: Path,
    tiny_lm: LanguageModel,
    panel: ObjectivePanel,
    objectives: tuple[ObjectiveSpec, ...],
) -> SharedStage:
    return SharedStage(tmp_path, tiny_lm, GenerationSpec(max_new_tokens=8), panel, objectives)


def test_the_table_holds_what_the_parts_say(
    stage: SharedStage, prompts: tuple[Prompt, ...], tiny_lm: LanguageModel
) -> None:
    found = stage.candidates(prompts, per_prompt=3, seed=0)
    assert found.prompts == prompts
    assert found.gains.shape == (4, 3, 2)
    texts = [text for row in found.completions for text in row]
    lengths = -np.array([len(t.strip()) for t in texts], dtype=np.float64).reshape(4, 3)
    np.testing.assert_array_equal(found.gains[:, :, 1], lengths)  # length is minimised
    raw = raw_scores(found, stage.objectives)
    np.testing.assert_array_equal(raw, stage.panel.score([prompts[0]] * 12, texts))
    assert found.prompt_ids == tuple(map(tuple, encode(tiny_lm, [p.text for p in prompts])))
    for text, ids in zip(texts, (i for row in found.completion_ids for i in row), strict=True):
        assert tiny_lm.tokenizer.decode(ids, skip_special_tokens=True) == text  # as sampled
    np.testing.assert_allclose(found.standardised.mean(axis=(0, 1)), 0, atol=1e-12)
    np.testing.assert_allclose(found.standardised.std(axis=(0, 1)), 1)
    logprobs = sequence_logprobs(
        tiny_lm.model,
        tiny_lm,
        [p for p in found.prompt_ids for _ in range(3)],
        [ids for row in found.completion_ids for ids in row],
        4,
    )
    np.testing.assert_allclose(found.ref_logprobs.ravel(), logprobs, rtol=0, atol=1e-4)
    assert len(set(texts)) > 8  # answers to one prompt have seeds of their own


def test_a_second_call_reads_the_first_ones_table(
    stage: SharedStage,
    prompts: tuple[Prompt, ...],
    letters: Letters,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built = stage.candidates(prompts, 2, 0)
    monkeypatch.delattr("paretoflow.lm.generation.sample")
    again = stage.candidates(prompts, 2, 0)
    assert letters.calls == 1
    _assert_same(again, built)


def _assert_same(found: Any, expected: Any) -> None:
    for field in dataclasses.fields(expected):
        first, second = getattr(expected, field.name), getattr(found, field.name)
        np.testing.assert_array_equal(first, second) if isinstance(first, np.ndarray) else None
        assert isinstance(first, np.ndarray) or first == second


@dataclasses.dataclass
class Bench:
    """Makes candidates again and again in one folder, and tells which tables are new."""

    stage: SharedStage
    seen: set[str] = dataclasses.field(default_factory=set)

    def new(self, prompts: Sequence[Prompt], count: int = 2, seed: int = 0, **changes: Any) -> str:
        stage = dataclasses.replace(self.stage, **changes)
        stage.candidates(prompts, count, seed)
        there = set(as_folder(stage.root).names("shared"))
        found, self.seen = there - self.seen, there
        return " ".join(sorted(name.split("/")[1].split("-")[0] for name in found))


def test_a_table_is_made_anew_where_what_it_depends_on_is_another(
    stage: SharedStage, prompts: tuple[Prompt, ...]
) -> None:
    bench = Bench(stage)
    everything = "answers scores scores"
    assert bench.new(prompts) == everything
    assert bench.new(prompts, count=3) == everything
    assert bench.new(prompts, seed=1) == everything
    assert bench.new(prompts[:2]) == everything
    assert bench.new(prompts, generation=GenerationSpec(max_new_tokens=9)) == everything
    # another base answers again; equal answers have their scores already
    assert bench.new(prompts, lm=dataclasses.replace(stage.lm, digest="0")) == "answers"


def test_answers_do_not_depend_on_scorers_nor_one_scorer_on_another(
    stage: SharedStage, prompts: tuple[Prompt, ...]
) -> None:
    bench, (letters, length) = Bench(stage), stage.objectives
    bench.new(prompts)
    turned = length.model_copy(update={"direction": Direction.MAXIMIZE, "ref": 3.0})
    counted = length.model_copy(update={"count": "tokens"})
    other = dataclasses.replace(prompts[3], reference="Else.")
    assert bench.new(prompts, generation=GenerationSpec(max_new_tokens=8, batch_size=1)) == ""
    assert bench.new(prompts, objectives=(letters, turned)) == ""
    assert bench.new(prompts, objectives=(letters, counted)) == "scores"
    assert bench.new((*prompts[:3], other)) == "scores scores"


def test_a_scorer_whose_code_was_changed_scores_anew(
    stage: SharedStage, prompts: tuple[Prompt, ...], panel: ObjectivePanel
) -> None:
    bench = Bench(stage)
    bench.new(prompts)
    letters, length = panel._objectives
    letters.digest = "mended"  # type: ignore[attr-defined]
    mended = ObjectivePanel(panel.names, [letters, length])
    assert bench.new(prompts, panel=mended) == "scores"


@pytest.mark.parametrize("kind", ["answers", "scores"])
def test_a_damaged_table_is_named(
    stage: SharedStage, prompts: tuple[Prompt, ...], kind: str
) -> None:
    stage.candidates(prompts, 2, 0)
    path = next((Path(str(stage.root)) / "shared").glob(f"{kind}-*.arrow"))
    whole = path.read_bytes()
    path.write_bytes(whole[:200])
    with pytest.raises(LedgerError, match=path.name):
        stage.candidates(prompts, 2, 0)
    write_table(path, pa.table({"row": [0], "else": ["a"]}))
    with raises("ledger-inconsistent", "other columns"):
        stage.candidates(prompts, 2, 0)
    path.write_bytes(whole)
    write_table(path, read_table(path).slice(0, 3))
    with raises("ledger-inconsistent", "holds 3", "says 8"):
        stage.candidates(prompts, 2, 0)


def test_the_one_table_of_an_older_sweep_is_read(
    stage: SharedStage, prompts: tuple[Prompt, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    built = stage.candidates(prompts, 2, 0)
    path = Path(stage.old_path(prompts, 2, 0))
    old = dataclasses.replace(stage, root=path.parent.parent / "old")
    monkeypatch.delattr("paretoflow.lm.generation.sample")
    scores = raw_scores(built, stage.objectives)
    answers = [text for row in built.completions for text in row]
    table = {
        "prompt_id": pa.array([p.prompt_id for p in prompts for _ in range(2)]),
        "completion": pa.array(answers),
        "completion_ids": pa.array([i for row in built.completion_ids for i in row]),
        "scores": pa.array(scores.tolist(), pa.list_(pa.float64())),
        "ref_logprob": pa.array(built.ref_logprobs.ravel()),
    }
    there = old.old_path(prompts, 2, 0)
    write_table(there, pa.table(table))
    _assert_same(old.candidates(prompts, 2, 0), built)
    write_table(there, pa.table({"prompt_id": ["someone else's"]}))
    with raises("ledger-inconsistent", "other prompts"):
        old.candidates(prompts, 2, 0)


def test_the_name_of_an_older_table_is_that_of_then(
    stage: SharedStage, prompts: tuple[Prompt, ...]
) -> None:
    fixed = dataclasses.replace(stage, lm=dataclasses.replace(stage.lm, digest="0"))
    name = fixed.old_path(prompts, 2, 0).rpartition("/")[2]
    assert name == "535179a655d21cde5c62326158b897d9548ce9354b6baa711a9ab1223c5acf6c.arrow"


def test_the_table_of_a_sweep_in_an_object_store(
    stage: SharedStage,
    prompts: tuple[Prompt, ...],
    letters: Letters,
    s3_bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = dataclasses.replace(stage, root=f"s3://{s3_bucket}/sweeps/one")
    built = there.candidates(prompts, 2, 0)
    kinds = [name.split("-")[0] for name in as_folder(there.root).names("shared")]
    assert kinds == ["shared/answers", "shared/scores", "shared/scores"]
    monkeypatch.delattr("paretoflow.lm.generation.sample")
    np.testing.assert_array_equal(there.candidates(prompts, 2, 0).gains, built.gains)
    assert letters.calls == 1


def test_scores_all_alike_have_a_positive_deviation(
    stage: SharedStage, prompts: tuple[Prompt, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Letters, "score", lambda self, prompts, completions: np.ones(len(prompts)))
    found = stage.candidates(prompts, 2, 0)
    assert found.std[0] == 1e-8
    np.testing.assert_array_equal(found.standardised[:, :, 0], 0)
