from __future__ import annotations

import dataclasses
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
from paretoflow.scoring.panel import ObjectivePanel
from paretoflow.scoring.shared import SharedStage, raw_scores
from paretoflow.spec.models import GenerationSpec
from paretoflow.spec.objectives import ObjectiveSpec
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
    lengths = -np.array([len(t) for t in texts], dtype=np.float64).reshape(4, 3)
    np.testing.assert_array_equal(found.gains[:, :, 1], lengths)  # length is minimised
    raw = raw_scores(found, stage.objectives)
    np.testing.assert_array_equal(raw, stage.panel.score([prompts[0]] * 12, texts))
    assert found.prompt_ids == tuple(map(tuple, encode(tiny_lm, [p.text for p in prompts])))
    for text, ids in zip(texts, (i for row in found.completion_ids for i in row), strict=True):
        assert tiny_lm.tokenizer.decode(ids, skip_special_tokens=True).strip() == text
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
    monkeypatch.delattr("paretoflow.scoring.shared.generate")
    again = stage.candidates(prompts, 2, 0)
    assert letters.calls == 1
    for field in dataclasses.fields(built):
        first, second = getattr(built, field.name), getattr(again, field.name)
        np.testing.assert_array_equal(first, second) if isinstance(first, np.ndarray) else None
        assert isinstance(first, np.ndarray) or first == second


def test_the_name_follows_what_the_table_depends_on(
    stage: SharedStage, prompts: tuple[Prompt, ...]
) -> None:
    def path(**changes: Any) -> Path:
        return dataclasses.replace(stage, **changes).path(prompts, 2, 0)

    letters, length = stage.objectives
    turned = length.model_copy(update={"direction": Direction.MAXIMIZE, "ref": 3.0})
    counted = length.model_copy(update={"count": "tokens"})
    others = [
        stage.path(prompts, 3, 0),
        stage.path(prompts, 2, 1),
        stage.path(prompts[:2], 2, 0),
        stage.path((*prompts[:3], dataclasses.replace(prompts[3], reference="Else.")), 2, 0),
        path(generation=GenerationSpec(max_new_tokens=9)),
        path(lm=dataclasses.replace(stage.lm, digest="0")),
        path(objectives=(letters, counted)),
    ]
    assert len({path(), *others}) == 8
    # batches and the direction change no raw score
    assert path(generation=GenerationSpec(max_new_tokens=8, batch_size=1)) == path()
    assert path(objectives=(letters, turned)) == path()


def test_a_damaged_table_is_named(stage: SharedStage, prompts: tuple[Prompt, ...]) -> None:
    path = Path(stage.path(prompts, 2, 0))
    stage.candidates(prompts, 2, 0)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(LedgerError, match=path.name):
        stage.candidates(prompts, 2, 0)
    with pa.OSFile(str(path), "wb") as sink:
        table = pa.table({"prompt_id": ["someone else's"]})
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    with pytest.raises(LedgerError, match="other prompts"):
        stage.candidates(prompts, 2, 0)


def test_the_table_of_a_sweep_in_an_object_store(
    stage: SharedStage,
    prompts: tuple[Prompt, ...],
    letters: Letters,
    s3_bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = dataclasses.replace(stage, root=f"s3://{s3_bucket}/sweeps/one")
    built = there.candidates(prompts, 2, 0)
    assert there.path(prompts, 2, 0).startswith(f"s3://{s3_bucket}/sweeps/one/shared/")
    monkeypatch.delattr("paretoflow.scoring.shared.generate")
    np.testing.assert_array_equal(there.candidates(prompts, 2, 0).gains, built.gains)
    assert letters.calls == 1


def test_scores_all_alike_have_a_positive_deviation(
    stage: SharedStage, prompts: tuple[Prompt, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Letters, "score", lambda self, prompts, completions: np.ones(len(prompts)))
    found = stage.candidates(prompts, 2, 0)
    assert found.std[0] == 1e-8
    np.testing.assert_array_equal(found.standardised[:, :, 0], 0)
