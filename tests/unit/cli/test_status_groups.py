"""What `status` shows of worker groups, few and many, on narrow and wide terminals."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from paretoflow.cli import status as verb
from paretoflow.cli.main import main
from paretoflow.cli.status import rendered
from paretoflow.core.errors import StorageError
from paretoflow.engine.live import LIVE_FILE, Doing, GroupPhase, GroupState, Live, live_json
from paretoflow.engine.read.status import SILENT_S, StandingReader, facts
from paretoflow.engine.session.folder import enter_folder
from paretoflow.ledger import open_ledger
from paretoflow.ledger.tables import Event, EventKind
from tests.sim.specs import circle_spec
from tests.unit.engine.telling import CALIBRATED, base, opened, proposed, started

WANTS = "waits for 2 bundles of {CPU: 1, GPU: 1} with label ray.io/accelerator-type=H100"


def _group(slot: int, phase: GroupPhase, now_s: float) -> GroupState:
    busy = phase is GroupPhase.BUSY
    return GroupState(
        slot,
        phase,
        now_s - 10 - slot,
        run_id=f"r{slot:04d}" if busy else "",
        step=slot if busy else -1,
        where=() if phase is GroupPhase.WAITING else (f"10.0.0.{slot}",),
        reason=WANTS if phase is GroupPhase.WAITING else "",
    )


def _phases(count: int) -> list[GroupPhase]:
    """Return mostly busy worker groups, with one in ten that waits and one that loads."""
    odd = {7: GroupPhase.WAITING, 9: GroupPhase.LOADING}
    return [odd.get(i % 10, GroupPhase.BUSY) for i in range(count)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "circle"
    enter_folder(circle_spec(method={"type": "dpo", "steps": 40}), root)
    ledger = open_ledger(root, writer=True, create=True, fsync=False)
    ledger.append([opened(), CALIBRATED, base()])
    ledger.append([proposed("r0000"), started("r0000"), proposed("r0099")])
    return root


@pytest.fixture
def shown(root: Path) -> Callable[..., list[str]]:
    """Return what a terminal of some width shows of a number of worker groups."""

    def show(count: int, width: int, silent_s: float = 3.0) -> list[str]:
        now_s = 1e6
        groups = tuple(_group(i, p, now_s) for i, p in enumerate(_phases(count)))
        live = Live(now_s, 3, "head:42", groups, 0.934)
        (root / LIVE_FILE).write_bytes(live_json(live))
        found = facts(StandingReader(root).look(now_s + silent_s))
        console = Console(file=io.StringIO(), width=width, highlight=False)
        console.print(rendered(found, "sweeps/circle", width))
        assert isinstance(console.file, io.StringIO)
        return [line.rstrip() for line in console.file.getvalue().splitlines()]

    return show


def test_few_groups_are_all_shown(shown: Callable[..., list[str]]) -> None:
    lines = shown(2, 80)
    assert "state        running; driver head:42 last heard 3 s ago" in lines
    assert "2 worker groups: 2 busy; busy 93% of the time since the driver's start" in lines
    assert "  0  busy  13 s  r0000  step 0/40" in lines
    assert "  1  busy  14 s  r0001  step 1/40" in lines
    assert "  r0099 pending: Because." in lines, "a run that no worker group has taken"
    assert not any("more" in line for line in lines)


def test_a_wide_terminal_says_where_a_group_is(shown: Callable[..., list[str]]) -> None:
    assert "  1  busy  14 s  r0001  step 1/40  10.0.0.1" in shown(2, 120)


def test_of_many_groups_the_telling_ones_are_shown(shown: Callable[..., list[str]]) -> None:
    lines = shown(40, 140)
    head = "40 worker groups: 4 waiting, 4 loading, 32 busy; "
    assert any(line.startswith(head) for line in lines)
    assert f"  7, 17, 27, 37 waiting for up to 50 s: {WANTS}" in lines
    phases = [line.split()[1] for line in lines if line.split()[1:2] in (["loading"], ["busy"])]
    assert phases == ["loading"] * 4 + ["busy"] * 6
    assert "  … and 26 more" in lines
    assert len(lines) < 30


@pytest.mark.few(6)
@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("count", [0, 1, 10, 11, 1000])
def test_it_fits_every_terminal(shown: Callable[..., list[str]], count: int, width: int) -> None:
    lines = shown(count, width)
    assert max(map(len, lines)) <= width
    assert len(lines) < 40


def test_a_driver_that_fell_silent(shown: Callable[..., list[str]]) -> None:
    # one look at what a driver on another machine wrote: its clock is its own
    lines = shown(2, 200, SILENT_S + 600)
    assert lines[1] == (
        "state        no sign of driver head:42; the last was at 1970-01-12 13:46:40 UTC by its "
        "own clock. If it is dead, continue with `paretoflow resume sweeps/circle`"
    )


def test_a_sweep_that_was_submitted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    enter_folder(circle_spec(), tmp_path)
    assert main(["status", str(tmp_path)]) == 0
    assert "submitted: no driver has begun yet" in capsys.readouterr().out


def test_without_a_terminal_it_is_plain(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    groups = tuple(_group(i, p, 1000.0) for i, p in enumerate(_phases(12)))
    (root / LIVE_FILE).write_bytes(live_json(Live(1000.0, 3, "head:42", groups, 0.5)))
    assert main(["status", str(root)]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "12 worker groups: " in text


def test_watching_outlives_an_outage_and_ends_with_the_sweep(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter(["there", "away", "ended"])
    true_look = StandingReader.look

    def look(reader: StandingReader, now_s: float) -> Any:
        now = next(looks)
        if now == "away":
            raise StorageError("no answer from s3://bucket")
        if now == "ended":
            ledger = open_ledger(root, writer=True, fsync=False)
            ledger.append([Event("closed:0", EventKind.CLOSED, 9.0, message="enough")])
        return true_look(reader, now_s)

    monkeypatch.setattr(StandingReader, "look", look)
    assert main(["status", str(root), "--watch", "--every-s", "0.2"]) == 0
    assert "ended: enough" in capsys.readouterr().out
    assert list(looks) == []


def test_ctrl_c_ends_watching_quietly(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(verb.time, "sleep", interrupt)
    assert main(["status", str(root), "--watch"]) == 0
    assert capsys.readouterr().err == ""


def test_a_group_before_its_first_launch_says_how_far_it_is(root: Path) -> None:
    doing = Doing("sampling answers", 96, 384)
    group = replace(_group(0, GroupPhase.LOADING, 1e6), doing=doing)
    (root / LIVE_FILE).write_bytes(live_json(Live(1e6, 3, "head:42", (group,), 0.0)))
    found = facts(StandingReader(root).look(1e6))
    assert found["worker_groups"][0]["doing"] == "sampling answers 96 of 384"
    console = Console(file=io.StringIO(), width=100, highlight=False)
    console.print(rendered(found, "sweeps/circle", 100))
    assert "sampling answers 96 of 384" in console.file.getvalue()  # type: ignore[attr-defined]
