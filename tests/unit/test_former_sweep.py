"""A sweep that an earlier version wrote is read, resumed, exported and verified by this one."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from paretoflow.cli.main import main

PACKED = Path(__file__).parents[1] / "fixtures" / "former_sweep.tar.xz"
HYPERVOLUME = 374.4


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with job.yaml, the sweep and its export, which is the current one."""
    with tarfile.open(PACKED) as packed:
        packed.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(list(words)) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_every_reader_reads_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = json.loads(said(capsys, "status", "sweeps/former", "--format", "json"))
    assert (status["runs"]["finished"], status["runs"]["failed"]) == (3, 0)
    front = json.loads(said(capsys, "front", "sweeps/former", "--format", "json"))
    assert front["hypervolume"] == pytest.approx(HYPERVOLUME, abs=0.1)
    assert len(front["points"]) == 2
    picked = said(capsys, "pick", "sweeps/former", "--prefer", "brevity=1,vowels=1")
    assert "r0000-ccde66-a0-s0002" in picked
    assert said(capsys, "snapshots", "sweeps/former").count("2026-") == 3
    said(capsys, "report", "sweeps/former", "-o", "report.html")
    assert "r0000-ccde66-a0-s0002" in (home / "report.html").read_text(encoding="utf-8")


def test_its_export_is_sound_and_the_same_front_is_exported_now(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "is as exported: former, front 2" in said(capsys, "verify", "export")
    said(capsys, "export", "sweeps/former", "-o", "again")
    assert "is as exported: former, front 2" in said(capsys, "verify", "again")
    said(capsys, "diff", "export", "sweeps/former")
    before, now = (
        json.loads((home / d / "manifest.json").read_text()) for d in ("export", "again")
    )
    assert now.keys() >= before.keys()
    assert now["points"] == before["points"]


def test_what_its_last_driver_saw_of_its_worker_groups_is_read(home: Path) -> None:
    from paretoflow.engine.live import GroupPhase, read_live
    from paretoflow.storage import LocalFolder

    live = read_live(LocalFolder(home / "sweeps" / "former"))
    assert live is not None
    (group,) = live.groups
    assert (group.phase, group.run_id, group.step) == (GroupPhase.BUSY, "r0001", 3)


@pytest.mark.train
@pytest.mark.filterwarnings("ignore::paretoflow.core.errors.RenamedKeyWarning")
def test_it_goes_on(home: Path) -> None:
    """With its own YAML, one run more: nothing is made again, and the ledger only grows."""
    from paretoflow import load
    from paretoflow.core.values import LaunchKind, Proposal, WeightVector
    from paretoflow.engine.loop.driver import Driver
    from paretoflow.engine.runtime.executor import Executor
    from paretoflow.engine.session.folder import drawn_as_begun, enter_folder, sweep_root
    from paretoflow.ledger import open_ledger
    from tests.benchmarks.methods.inline import InlineBackend

    class OneMore:
        def propose(self, history: Any, pending: Any, count: int, seed: int) -> list[Proposal]:
            more = Proposal(LaunchKind.WEIGHTED, WeightVector((0.8, 0.2)), 9, "More.", "by hand")
            return [] if pending else [more]

    spec = load("job.yaml", ["stop.runs=4"])
    root = sweep_root(spec)
    spec = drawn_as_begun(spec, root)
    enter_folder(spec, root)
    before = open_ledger(root, writer=False).events()
    ledger = open_ledger(root, writer=True, fsync=False)
    executor = Executor(spec, root, threads=1)
    driver = Driver(spec, ledger, InlineBackend(executor), OneMore())
    driver.run()
    after = ledger.events()
    assert [e.event_id for e in after[: len(before)]] == [e.event_id for e in before]
    assert (driver.state.finished, driver.state.failed) == (4, 0)
    new = {e.run_id for e in after[len(before) :] if e.kind.value in ("started", "evaluated")}
    assert len(new) == 1
    assert (
        json.loads((home / "sweeps/former/spec.json").read_text())["engine"]["worker_groups"] == 2
    )
