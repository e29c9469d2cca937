"""A sweep that trains two experts and mixes them, from its YAML to an exported mix."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from paretoflow.api import open_sweep
from paretoflow.cli.main import main
from paretoflow.core.values import LaunchKind
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.spec.load import load_spec
from tests.benchmarks.methods.inline import run_inline
from tests.small_data import small_data

pytestmark = [pytest.mark.train, pytest.mark.full]

JOB = """
name: soup
seed: 5
model: {{type: embedded, lora: {{rank: 2, alpha: 4}}, generation: {{max_new_tokens: 20}}}}
data: {{{data}, train: 6, eval: 4, validation: 2, candidates: 4}}
objectives:
  - {{name: short, type: length, direction: minimize, range: [0, 30], ref: 40}}
  - {{name: long, type: length, direction: maximize, range: [0, 30], ref: -1}}
method: {{type: dpo, steps: 2, checkpoint_every: 1, batch_size: 2, learning_rate: 0.02}}
proposer: {{type: soups}}
stop: {{runs: 5}}
storage: {storage}
"""


@pytest.fixture(scope="module")
def soup(tmp_path_factory: pytest.TempPathFactory) -> tuple[SweepState, Path]:
    folder = tmp_path_factory.mktemp("soup")
    job = folder / "job.yaml"
    job.write_text(JOB.format(storage=folder / "sweeps", data=small_data(folder)))
    # the two objectives are one score, so that no point dominates another
    return run_inline(load_spec(str(job), (), None)), folder / "sweeps" / "soup"


def test_experts_are_trained_and_mixes_cost_evaluations_only(soup: tuple[SweepState, Path]) -> None:
    state, root = soup
    runs = list(state.runs.values())
    assert [r.message for r in runs] == [""] * 5
    assert Counter(r.proposal.kind for r in runs) == {LaunchKind.WEIGHTED: 2, LaunchKind.MERGE: 3}
    assert {r.status.value for r in runs} == {"finished"}
    mixes = [e for e in state.evaluations if state_kind(state, e.run_id) is LaunchKind.MERGE]
    assert [e.step for e in mixes] == [0, 0, 0]
    answers = mixes[0].n * 20
    for mix in mixes:
        assert 0 < mix.cost.tokens <= answers
        assert sorted(p.name for p in (root / mix.path).iterdir()) == [
            "adapter_config.json",
            "adapter_model.safetensors",
            "base.json",
        ]
        assert json.loads((root / mix.path / "adapter_config.json").read_text())["r"] == 4
    finals = {e.snapshot_id for e in state.evaluations if e.step == 2}
    assert {p for r in runs if r.proposal.merge for p in r.proposal.merge.parents} == finals


def state_kind(state: SweepState, run_id: str) -> LaunchKind | None:
    run = state.runs.get(run_id)
    return run.proposal.kind if run else None


def test_a_mix_exports_as_an_ordinary_adapter_with_its_parents(
    soup: tuple[SweepState, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from paretoflow.embedded import TINY_BASE_DIR
    from paretoflow.exporters.table_files import read_rows

    _, root = soup
    found = open_sweep(str(root)).front()
    mixes = [p for p in found if p.merge is not None]
    assert mixes
    told = found.to_dict()["points"]
    assert {p["kind"] for p in told if p["merge"]} == {"merge"}
    assert main(["export", str(root), "-o", str(tmp_path / "out")]) == 0
    assert main(["verify", str(tmp_path / "out")]) == 0
    rows = {r["snapshot_id"]: r for r in read_rows(tmp_path / "out" / "front.parquet")}
    for mix in mixes:
        assert mix.merge
        assert json.loads(rows[mix.snapshot_id]["merge"]) == mix.merge.to_dict()
        folder = tmp_path / "out" / "adapters" / mix.snapshot_id
        model: Any = AutoModelForCausalLM.from_pretrained(TINY_BASE_DIR)
        assert PeftModel.from_pretrained(model, str(folder)).peft_config["default"].r == 4
    assert "(mixed)" in (tmp_path / "out" / "README.md").read_text()
    capsys.readouterr()
    assert main(["front", str(root)]) == 0
    assert " mix" in capsys.readouterr().out
    assert main(["pick", str(root), "--prefer", "short=0.5,long=0.5"]) == 0
    assert main(["report", str(root), "-o", str(tmp_path / "report.html")]) == 0
    assert f"mixes {mixes[0].merge}" in (tmp_path / "report.html").read_text()
