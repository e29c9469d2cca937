"""What the rules let pass; what they refuse is in tests/unit/cli/test_malformed.py."""

from __future__ import annotations

import pytest

from paretoflow.spec.load import load_spec_text
from tests.faults import raises

TWO = "\nobjectives:\n  - {name: a, type: length}\n  - {name: b, type: regex, keywords: [x]}\n"


@pytest.mark.parametrize(
    "text",
    [
        "name: x\ndata: {type: hub, path: owner/name}",
        "name: x\ndata: {type: hub, path: saved}",
        "name: x\nmodel: {type: pretrained, path: gpt2}",
        "name: x\nmodel: {type: pretrained, path: model}",
        "name: x\nstorage: ~/sweeps",
        "name: x\nstorage: file:///tmp/sweeps",
        "name: x\nengine: {resources: {gpus_per_rank: 0.25}}",
        "name: x\nengine: {resources: {gpus_per_rank: 1}}",
        "name: x\nmethod: {type: grpo, batch_size: 12, generations: 6, gradient_accumulation: 4}",
        "name: x\nmethod: {type: dpo, steps: 20, checkpoint_every: 20}",
        "name: x\nmethod: {type: dpo, steps: 20, checkpoint_every: 5}\nstop: {rungs: {first: 15}}",
        "name: x\nproposer: {type: cmorl, initial: 12}",
        "name: x\nstop: {cost: 5}\nengine: {price: 1}",
        "name: x\ndata: {type: jsonl, path: rows.jsonl, template: 'Q {my column}: {{x}}'}",
        "name: x\ndata: {type: jsonl, path: rows.jsonl, columns: {dialogue: chosen}}",
    ],
)
def test_what_is_allowed_passes(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text("{}")
    (tmp_path / "saved").mkdir()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    assert load_spec_text(text + TWO, "job.yaml").name == "x"


@pytest.mark.parametrize(
    "objective",
    [
        "{name: c, type: rouge, range: [0, 1], ref: -0.1}",
        "{name: c, type: length, range: [0, 60], ref: 70}",
        "{name: c, type: rouge, ref: 5}",
        "{name: c, type: regex, pattern: 'a(b|c)+'}",
    ],
)
def test_objectives_that_are_allowed_pass(objective):
    assert len(load_spec_text(f"name: x{TWO}  - {objective}\n", "job.yaml").objectives) == 3


@pytest.mark.parametrize("count", [4, 5])
def test_corners_are_for_four_objectives_at_most(count):
    lines = [f"  - {{name: o{i}, type: length, range: [0, 60]}}" for i in range(count)]
    text = "name: x\nproposer: {type: ols}\nobjectives:\n" + "\n".join(lines)
    if count == 4:
        assert load_spec_text(text, "job.yaml").proposer.type == "ols"
    else:
        with raises("spec-contradiction", "with 5", "4"):
            load_spec_text(text, "job.yaml")
