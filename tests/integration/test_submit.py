"""One small sweep on a Ray head of its own, with a token, as a user at a laptop sees it.

A head takes long to start, so one sweep goes through everything, stage by stage:

    twice      submitted, and submitted again at once
    stopped    asked to stop through its folder, after its first result
    finished   resumed from its folder alone, and followed to its end
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from paretoflow.cli.main import main
from paretoflow.ledger import open_ledger
from paretoflow.ledger.tables import Event, EventKind
from tests.integration.ray_head import PATIENCE_S, RayHead
from tests.small_data import small_data

pytestmark = [pytest.mark.ray, pytest.mark.train, pytest.mark.slow]

RUNS = 5
JOB = """
name: far
seed: 5
model: {{type: embedded, generation: {{max_new_tokens: 24}}}}
data: {{{data}, train: 8, eval: 6, validation: 4, candidates: 4}}
objectives:
  - {{name: coverage, type: rouge, variant: rouge1, range: [0, 1], ref: 0}}
  - {{name: words, type: length, count: words, range: [0, 24], ref: 30}}
method: {{type: dpo, steps: 2, learning_rate: 0.01}}
engine: {{worker_groups: 1, limits: {{orphan_s: 5}}}}
stop: {{runs: 5}}
storage: sweeps
"""


@dataclass(frozen=True)
class Laptop:
    """A machine with the token and the YAML, and nothing of Ray running."""

    head: RayHead
    home: Path

    @property
    def root(self) -> Path:
        return self.home / "sweeps" / "far"

    def events(self) -> list[Event]:
        return open_ledger(self.root, writer=False).events()


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    home = tmp_path_factory.mktemp("home")
    (home / "job.yaml").write_text(JOB.format(data=small_data(home)))
    with RayHead() as head, pytest.MonkeyPatch.context() as patch:
        for name, value in head.access.items():
            patch.setenv(name, value)
        patch.chdir(home)
        yield Laptop(head, home)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Return a way to call the command line: its exit status, and all that it printed."""

    def call(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        status = main(list(words))
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    return call


def _facts(call: Callable[..., tuple[int, str]], laptop: Laptop) -> dict[str, Any]:
    status, text = call("status", str(laptop.root), "--format", "json")
    assert status == 0, text
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.full
def test_a_wrong_token_and_a_cluster_too_small_leave_nothing_behind(
    laptop: Laptop, call: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = ("submit", "job.yaml", "--address", laptop.head.address)
    status, text = call(*submit, "--set", "engine.resources.gpus_per_rank=1")
    assert (status, "one rank of 1 CPU and 1 GPU" in text) == (2, True), text
    monkeypatch.setenv("RAY_AUTH_TOKEN", "wrong")
    status, text = call(*submit)
    assert (status, "refuses the token from RAY_AUTH_TOKEN" in text) == (2, True), text
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH")
    monkeypatch.setattr(Path, "home", lambda: laptop.home)
    status, text = call(*submit)
    assert (status, "asks for a token" in text) == (2, True), text
    assert not laptop.root.exists()


def test_submitting_twice_attaches(laptop: Laptop, call: Callable[..., tuple[int, str]]) -> None:
    submit = ("submit", "job.yaml", "--address", laptop.head.address)
    status, first = call(*submit)
    assert status == 0, first
    status, second = call(*submit)
    assert status == 0, second
    name = first.split()[1]
    assert first.startswith(f"submitted {name} at {laptop.head.address}")
    assert second.startswith(f"attached to {name} at {laptop.head.address}")


def test_its_status_needs_no_cluster(
    laptop: Laptop, call: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH")
    deadline = time.monotonic() + PATIENCE_S
    while (found := _facts(call, laptop))["runs"]["finished"] < 1:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    assert found["state"] == "running"
    assert found["driver"]["silent_s"] < 30
    assert found["left"]["seconds"] > 0
    assert len(laptop.head.drivers(laptop.root)) == 1


def test_it_stops_when_asked_through_its_folder(
    laptop: Laptop, call: Callable[..., tuple[int, str]]
) -> None:
    status, text = call("stop", str(laptop.root), "--address", laptop.head.address)
    assert status == 0, text
    assert "stopped; continue with: paretoflow resume" in text
    last = laptop.events()[-1]
    assert (last.kind, last.message[:11]) == (EventKind.CLOSED, "stopped by ")
    assert _facts(call, laptop)["state"] == "ended"


@pytest.mark.full
def test_it_goes_on_from_its_folder_alone_and_is_followed(
    laptop: Laptop, call: Callable[..., tuple[int, str]]
) -> None:
    before = laptop.events()
    (laptop.home / "job.yaml").unlink()
    status, text = call("resume", str(laptop.root), "--address", laptop.head.address, "--follow")
    assert status == 0, text
    assert "-2 at " in text
    assert "continuing: " in text
    assert f"done: all {RUNS} runs are launched" in text
    assert "-2 succeeded: " in text
    events = laptop.events()
    assert events[: len(before)] == before
    finished = [e.run_id for e in events if e.kind is EventKind.FINISHED]
    assert len(finished) == len(set(finished)) == RUNS
