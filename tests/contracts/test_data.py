"""What every source of prompts promises, run over every tag."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pyarrow
import pyarrow.parquet
import pytest
from pydantic import TypeAdapter

from paretoflow.core.protocols import Prompt
from paretoflow.data import TAGS, load_prompts
from paretoflow.data.prompts import PromptSets
from paretoflow.spec.data import DataSpec
from tests.faults import raises

ROWS = [
    {
        "q": f"Why {i}?",
        "gold": f"Because {i}.",
        "docs": [["Title", f"Fact {i}.", "Naïve 猫."]],
        "k": i,
        "chosen": f"Since {i}.",
        "rejected": "No idea.",
        "all": ["Hm.", f"Since {i}."],
        "stars": [1, 5],
    }
    for i in range(40)
]
COLUMNS = {"columns": {"prompt": "q", "reference": "gold", "passages": "docs"}}
EXAMPLES: dict[str, dict[str, Any]] = {
    "pydoc": {},
    "jsonl": {**COLUMNS, "path": "rows.jsonl"},
    "parquet": {**COLUMNS, "path": "rows.parquet"},
    "hub": {**COLUMNS, "path": "saved"},
    "preferences": {"sources": [{**COLUMNS, "path": "rows.jsonl", "objective": "good"}]},
    "ratings": {
        "sources": [
            {
                "columns": {**COLUMNS["columns"], "completions": "all"},
                "path": "rows.jsonl",
                "ratings": {"good": "stars"},
            }
        ]
    },
}
SIZES = {"train": 12, "eval": 8, "validation": 4}


@pytest.fixture
def spec(tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataSpec:
    monkeypatch.chdir(tmp_path)
    if tag in ("jsonl", "preferences", "ratings"):
        Path("rows.jsonl").write_text("\n".join(json.dumps(row) for row in ROWS), encoding="utf-8")
    elif tag == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), "rows.parquet")
    elif tag == "hub":
        datasets = pytest.importorskip("datasets")
        datasets.Dataset.from_list(ROWS).save_to_disk("saved")
    return spec_of(tag)


def spec_of(tag: str, **changed: Any) -> DataSpec:
    plain = {"type": tag, **EXAMPLES[tag], **SIZES, **changed}
    return TypeAdapter(DataSpec).validate_python(plain)


def load(spec: DataSpec, seed: int = 0) -> PromptSets:
    return load_prompts(spec, seed=seed, render_chat=None)


def everyone(sets: PromptSets) -> list[Prompt]:
    return [*sets.train, *sets.eval, *sets.validation]


def test_union_table_and_examples_name_the_same_tags() -> None:
    models = get_args(get_args(DataSpec)[0])
    union = {get_args(model.model_fields["type"].annotation)[0] for model in models}
    assert union == set(TAGS) == set(EXAMPLES)


@pytest.mark.few(3)
@pytest.mark.parametrize("tag", TAGS)
def test_sets_have_their_sizes_and_share_nothing(spec: DataSpec) -> None:
    sets = load(spec)
    assert (len(sets.train), len(sets.eval), len(sets.validation)) == (12, 8, 4)
    assert len({p.prompt_id for p in everyone(sets)}) == 24
    assert len({p.text for p in everyone(sets)}) == 24


@pytest.mark.parametrize("tag", TAGS)
def test_prompts_are_complete(spec: DataSpec) -> None:
    for prompt in everyone(load(spec)):
        assert prompt.text.strip()
        assert prompt.reference
        assert prompt.passages
        assert prompt.extra
        assert prompt.messages == ()


@pytest.mark.parametrize("tag", TAGS)
def test_draw_follows_the_seed_alone(spec: DataSpec) -> None:
    first, again, other = load(spec), load(spec), load(spec, seed=1)
    assert first == again
    assert other.digest != first.digest
    assert {p.prompt_id for p in other.eval} != {p.prompt_id for p in first.eval}


@pytest.mark.parametrize("tag", TAGS)
def test_more_train_prompts_leave_the_other_sets_alone(spec: DataSpec, tag: str) -> None:
    small, large = load(spec), load(spec_of(tag, train=14))
    assert (small.eval, small.validation) == (large.eval, large.validation)
    assert small.train == large.train[:12]
    assert small.digest != large.digest


@pytest.mark.parametrize("tag", TAGS)
def test_too_large_a_set_is_refused_with_counts_and_the_number_to_lower(
    spec: DataSpec, tag: str
) -> None:
    with raises("data-too-few", "train 100000", "data.train"):
        load(spec_of(tag, train=100_000))
