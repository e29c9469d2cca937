from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from paretoflow.core.errors import DataError
from paretoflow.engine.read.stored_spec import read_spec
from paretoflow.engine.session.folder import drawn_as_begun, enter_folder
from paretoflow.spec.models import GenerationSpec
from paretoflow.spec.sweep import SweepSpec
from tests.faults import raises
from tests.sim.specs import circle_spec

ROUGE = [
    {"name": "a", "type": "rouge", "range": [0, 1], "ref": 0},
    {"name": "b", "type": "length", "range": [0, 9], "ref": 9},
]


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "rows.jsonl"
    made = [{"q": f"Question {i}?" + " word" * (200 * (i == 7)), "a": f"r{i}"} for i in range(12)]
    path.write_text("\n".join(map(json.dumps, made)))
    return path


def spec_of(path: Path, **data: Any) -> SweepSpec:
    columns = {"prompt": "q", "reference": "a"}
    sizes = {"train": 6, "eval": 3, "validation": 2, "candidates": 2}
    plain = {"type": "jsonl", "path": str(path), "columns": columns, **sizes, **data}
    return circle_spec(data=plain, objectives=ROUGE)


@pytest.mark.train
def test_a_prompt_that_the_window_cannot_hold_is_named_by_its_row(rows: Path, tiny_lm: Any) -> None:
    from paretoflow.engine.runtime.prompts import prompts_of

    spec = spec_of(rows, train=7)
    new = tiny_lm.context_tokens - 60
    generation = GenerationSpec(max_new_tokens=new)
    spec = spec.model_copy(
        update={"model": spec.model.model_copy(update={"generation": generation})}
    )
    window = f"the model's window of {tiny_lm.context_tokens} less .*max_new_tokens, {new}"
    with pytest.raises(
        DataError, match=rf"rows\.jsonl:8: the prompt has \d+ tokens; .* 60, {window}"
    ):
        prompts_of(spec, tiny_lm)
    data = spec.data.model_copy(update={"on_bad_row": "skip", "train": 6})
    sets = prompts_of(spec.model_copy(update={"data": data}), tiny_lm)
    assert sets.facts.left_out == 1
    data = data.model_copy(update={"max_prompt_tokens": 3})
    with raises("data-bad-rows", "12 rows", "3", "data.max_prompt_tokens"):
        prompts_of(spec.model_copy(update={"data": data}), tiny_lm)


@pytest.mark.train
def test_a_missing_reference_is_told_before_anything_is_sampled(rows: Path, tiny_lm: Any) -> None:
    from paretoflow.engine.runtime.prompts import prompts_of

    with rows.open("a") as file:
        file.write('\n{"q": "And?", "a": NaN}')
    with raises("data-reference", "rows.jsonl:13"):
        prompts_of(spec_of(rows, train=8), tiny_lm)


def test_a_sweep_of_an_earlier_version_goes_on_with_its_own_draw(
    rows: Path, tmp_path: Path
) -> None:
    root = tmp_path / "sweep"
    spec = spec_of(rows)
    enter_folder(spec, root)
    assert read_spec(root)["data"]["drawn_by"] == "content"
    stored = json.loads((root / "spec.json").read_text())
    del stored["data"]["drawn_by"]
    (root / "spec.json").write_text(json.dumps(stored))
    assert read_spec(root)["data"]["drawn_by"] == "row"
    assert drawn_as_begun(spec, root).data.drawn_by == "row"
    assert drawn_as_begun(spec_of(rows, drawn_by="content"), root).data.drawn_by == "content"
    assert drawn_as_begun(spec, tmp_path / "none").data.drawn_by == "content"
    embedded = circle_spec()
    assert drawn_as_begun(embedded, root) == embedded
