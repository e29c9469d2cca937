"""A gang of two ranks that trains the embedded base under DeepSpeed ZeRO, through Ctrl-C."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paretoflow.core.ids import digest_of_folder
from paretoflow.ledger import open_ledger
from paretoflow.ledger.tables import Event, EventKind
from tests.integration.command import Command

pytest.importorskip("deepspeed")
pytest.importorskip("ray")
from tests.integration.small_cluster import eventually

pytestmark = [pytest.mark.ray, pytest.mark.train, pytest.mark.slow]

JOB = """
name: zero
seed: 5
model: {type: embedded, generation: {max_new_tokens: 16}}
data: {type: pydoc, train: 8, eval: 6, validation: 4, candidates: 4}
objectives:
  - {name: coverage, type: rouge, variant: rouge1, range: [0, 1], ref: 0}
  - {name: brevity, type: length, range: [0, 24], ref: 30}
method: {type: dpo, steps: 40, learning_rate: 0.001, batch_size: 4, checkpoint_every: 2}
engine: {workers: 1, resources: {ranks: 2, zero: 2}}
stop: {runs: 1}
storage: sweeps
"""


def results(root: Path) -> list[Event]:
    try:
        events = open_ledger(root, writer=False).events()
    except FileNotFoundError:
        return []
    return [e for e in events if e.kind is EventKind.EVALUATED and e.run_id != "base"]


def test_two_ranks_share_a_run_save_it_at_ctrl_c_and_go_on_from_there(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(JOB)
    root = tmp_path / "sweeps" / "zero"
    first = Command(["run", "job.yaml"], tmp_path)
    try:
        assert eventually(lambda: bool(results(root)), 240), first.text
        first.interrupt()
        assert first.wait() == 130, first.text
    finally:
        first.end()
    (manifest,) = root.glob("adapters/*/a0/checkpoint-*/paretoflow_state.json")
    state = json.loads(manifest.read_text())
    assert state["layout"] == {"ranks": 2, "zero": 2, "offload": False}
    assert any("zero_pp_rank_1" in name for name in state["files"])
    saved, before = state["step"], len(results(root))

    second = Command(["run", "job.yaml", "--set", "engine.retries=0"], tmp_path)
    try:
        assert eventually(lambda: len(results(root)) > before, 240), second.text
        second.interrupt()
        assert second.wait() == 130, second.text
    finally:
        second.end()
    later = results(root)[before:]
    assert {e.attempt for e in later} == {1}
    assert later[0].step == saved // 2 * 2 + 2  # every second step is a checkpoint
    for event in results(root):
        assert digest_of_folder(root / event.path) == event.digest
        assert event.device_s == pytest.approx(2 * event.wall_s)
