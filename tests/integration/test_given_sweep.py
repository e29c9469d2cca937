"""A small sweep on people's pairs: from its YAML to runs that moved as the labels ask for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from paretoflow.core.errors import ChangedInputsError
from paretoflow.spec.load import load_spec
from tests.benchmarks.methods.inline import run_inline
from tests.small_data import small_data

pytestmark = pytest.mark.train

JOB = """
name: pairs
seed: 3
model: {{type: embedded, lora: {{rank: 4, alpha: 8}}, generation: {{max_new_tokens: 24}}}}
data:
  type: preferences
  sources: [{{path: {folder}/brief.jsonl, objective: brief}}, {{path: {folder}/full.jsonl}}]
  train: 12
  eval: 6
  validation: 2
  sampled: {sampled}
objectives:
  - {{name: brief, type: length, direction: minimize, range: [0, 30], ref: 40}}
  - {{name: full, type: length, direction: maximize, range: [0, 30], ref: -1}}
method: {{type: {method}, steps: 8, batch_size: 4, learning_rate: 0.004, beta: 0.1{serve}}}
proposer: {{type: lattice, divisions: 1}}
stop: {{runs: 2}}
storage: {folder}/sweeps
"""


def write_pairs(folder: Path) -> None:
    small_data(folder)
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    brief, full = [], []
    for row in rows:
        short, long = " It is.", f" {row['reference']} It is a type. Use it well."
        brief.append({"prompt": row["prompt"], "chosen": short, "rejected": long})
        told = {"prompt": row["prompt"], "chosen": long, "rejected": short, "objective": "full"}
        full.append(told)
    for name, rows in (("brief", brief), ("full", full)):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text)


@pytest.mark.parametrize(
    ("method", "sampled"),
    [
        ("dpo", 0.0),
        pytest.param("gradient_dpo", 0.25, marks=pytest.mark.full),
        pytest.param("modpo", 0.0, marks=pytest.mark.full),
        pytest.param("mah_dpo", 0.0, marks=pytest.mark.full),
    ],
)
def test_runs_move_as_the_labels_of_their_objective_ask_for(tmp_path, method, sampled):
    write_pairs(tmp_path)
    job = tmp_path / "job.yaml"
    serve = ", serve: {points: 2}" if method == "mah_dpo" else ""
    job.write_text(JOB.format(folder=tmp_path, method=method, sampled=sampled, serve=serve))
    state = run_inline(load_spec(job))
    assert [(r.status.value, r.message) for r in state.runs.values()] == [("finished", "")] * 2
    trained = sorted((e for e in state.evaluations if e.step), key=lambda e: e.step)
    ends = {tuple(np.round(e.weights, 3)): e.scores for e in trained}
    assert ends[1.0, 0.0][0] < ends[0.0, 1.0][0]
    for name, end in (("brief", (1.0, 0.0)), ("full", (0.0, 1.0))):
        told = [e.diagnostics for e in trained if tuple(np.round(e.weights, 3)) == end]
        if method != "mah_dpo":
            assert told[-1][f"pair_accuracy/{name}"] == 1.0  # of prompts that no run saw
    base = next(e.scores for e in state.evaluations if e.step == 0)
    if method != "mah_dpo":
        assert ends[1.0, 0.0][0] < base[0] < ends[0.0, 1.0][0]


def test_a_pair_that_was_changed_stops_the_sweep(tmp_path):
    write_pairs(tmp_path)
    job = tmp_path / "job.yaml"
    job.write_text(JOB.format(folder=tmp_path, method="dpo", sampled=0.0, serve=""))
    run_inline(load_spec(job, ["stop.runs=1", "method.steps=1"]))
    pairs = tmp_path / "brief.jsonl"
    pairs.write_text(pairs.read_text().replace("It is.", "It was."))
    with pytest.raises(ChangedInputsError, match="train"):
        run_inline(load_spec(job, ["stop.runs=2", "method.steps=1"]))
