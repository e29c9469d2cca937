"""A group of two ranks that trains the embedded base under DeepSpeed ZeRO, through a notice."""

from __future__ import annotations

import re
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
method: {type: dpo, steps: 16, learning_rate: 0.001, batch_size: 4, checkpoint_every: 2}
engine: {worker_groups: 1, resources: {ranks: 2, zero: 3}}
stop: {runs: 1}
storage: sweeps
"""


def events_of(root: Path, kind: EventKind) -> list[Event]:
    try:
        events = open_ledger(root, writer=False).events()
    except FileNotFoundError:
        return []
    return [e for e in events if e.kind is kind]


def results(root: Path) -> list[Event]:
    return [e for e in events_of(root, EventKind.EVALUATED) if e.run_id != "base"]


@pytest.mark.full
def test_two_ranks_share_a_run_and_a_notice_to_one_saves_it_for_the_next_group(
    tmp_path: Path,
) -> None:
    (tmp_path / "job.yaml").write_text(JOB)
    root = tmp_path / "sweeps" / "zero"
    command = Command(["run", "job.yaml"], tmp_path)
    try:
        assert eventually(lambda: bool(results(root)), 240), command.text
        command.workers()[1].terminate()
        assert command.wait() == 0, command.text
    finally:
        command.end()
    (failure,) = events_of(root, EventKind.FAILED)
    told = re.search(r"\(SIGTERM\): .*stopped after step (\d+) of 16", failure.message)
    assert told is not None, failure.message
    assert failure.payload["cause"] == "lost"
    steps = [(e.attempt, e.step) for e in results(root)]
    assert [step for _, step in steps] == list(range(2, 17, 2))  # none twice, none missing
    assert {attempt for attempt, step in steps if step > int(told[1])} == {1}
    for event in results(root):
        assert digest_of_folder(root / event.path) == event.digest
        assert event.device_s == pytest.approx(2 * event.wall_s)
    assert not list(root.glob("adapters/*/*/checkpoint-*"))
