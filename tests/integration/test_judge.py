"""A sweep with a judge at a local endpoint, killed while it judges, then resumed.

For `make test-full`: it starts Ray twice. `tests/unit/engine/runtime/test_judged_sweep.py` is such
a sweep without Ray.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.ledger import open_ledger
from paretoflow.ledger.tables import EventKind
from paretoflow.objectives.judged import spent_on_judges
from tests.integration.command import Command
from tests.integration.small_cluster import eventually
from tests.judge_endpoint import judge_endpoint
from tests.small_data import small_data

pytestmark = [pytest.mark.ray, pytest.mark.train, pytest.mark.slow, pytest.mark.full]

KEY = "plain-words-that-are-a-key"
AT_ONCE = 3
JOB = """
name: judged
model: {{type: embedded, generation: {{max_new_tokens: 12}}}}
data: {{{data}, train: 6, eval: 4, validation: 2, candidates: 4}}
objectives:
  - name: long
    type: judge
    rubric: Longer answers are better.
    model: a-judge
    base_url: {url}
    api_key_env: OWN_JUDGE_KEY
    concurrency: {at_once}
    price: {{input: 2, output: 50}}
  - {{name: coverage, type: rouge, range: [0, 1], ref: 0}}
method: {{type: dpo, steps: 2}}
engine: {{worker_groups: 1}}
stop: {{runs: 1, cost: 100}}
storage: sweeps
"""
EACH = (2 * 100 + 50 * 2) / 1e6


def _kept(root: Path) -> list[dict[str, Any]]:
    files = (root / "judged").rglob("*.jsonl")
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_no_judged_answer_is_paid_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openai")
    monkeypatch.setenv("OWN_JUDGE_KEY", KEY)
    root = tmp_path / "sweeps" / "judged"
    with judge_endpoint([429, None, "hm"], key=KEY, pause_s=0.2) as endpoint:
        job = JOB.format(url=endpoint.url, data=small_data(tmp_path), at_once=AT_ONCE)
        (tmp_path / "job.yaml").write_text(job)
        command = Command(["run", "job.yaml"], tmp_path)
        try:
            assert eventually(lambda: len(_kept(root)) >= 4)
            command.kill()
            assert command.workers_left(30) == []
        finally:
            command.end()
        before, asked = _kept(root), len(endpoint.bodies)
        assert before
        endpoint.pause_s = 0.0
        command = Command(["run", "job.yaml"], tmp_path)
        try:
            assert command.wait() == 0, command.text
        finally:
            command.end()
        judged = Counter(endpoint.judged())
        later = set(endpoint.judged()[asked:])
    kept = _kept(root)
    assert len(kept) == len({row["key"] for row in kept})
    # what was on disk at the kill was not asked again; what was under way then may have been
    assert len(later) == len(kept) - len(before)
    assert sum(judged.values()) - len(kept) <= AT_ONCE + 3  # and the three that went wrong
    state = SweepState()
    events = open_ledger(root, writer=False).events()
    state.apply(events)
    replies = sum(len(row["replies"]) for row in kept)
    assert state.judged == pytest.approx(spent_on_judges(root)) == pytest.approx(replies * EACH)
    assert [e for e in events if e.kind is EventKind.FINISHED]
    written = [file for file in root.rglob("*") if file.is_file()]
    assert not [file for file in written if KEY.encode() in file.read_bytes()]
    assert KEY not in command.text
