from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from paretoflow.cli.main import main
from paretoflow.engine.cluster.submit import job_name
from paretoflow.engine.live import LIVE_FILE, Live, live_json
from paretoflow.engine.session.folder import enter_folder
from paretoflow.engine.session.stop_request import STOP_FILE, StopRequest
from paretoflow.ledger import open_ledger
from paretoflow.ledger.ledger import Ledger
from paretoflow.ledger.tables import Event, EventKind
from paretoflow.storage import as_folder
from tests.fake_head import Head, fake_head
from tests.sim.specs import circle_spec
from tests.unit.engine.telling import opened


@pytest.fixture
def root(tmp_path: Path) -> Path:
    enter_folder(circle_spec(), tmp_path / "circle")
    return tmp_path / "circle"


@pytest.fixture
def ledger(root: Path) -> Ledger:
    ledger = open_ledger(root, writer=True, create=True, fsync=False)
    ledger.append([opened()])
    return ledger


@pytest.fixture
def head(monkeypatch: pytest.MonkeyPatch, root: Path) -> Iterator[Head]:
    """A head on which a job of the sweep runs."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with fake_head(jobs={job_name("circle", str(root)): "RUNNING"}) as head:
        yield head


def _seen(root: Path, ago_s: float) -> None:
    live = Live(time.time() - ago_s, 0, "head:7", (), 0.5)
    (root / LIVE_FILE).write_bytes(live_json(live))


def test_a_driver_that_obeys(
    root: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    _seen(root, 1)
    watch = StopRequest(as_folder(root))

    def drive() -> None:
        while not (asked := watch.asked()):
            watch._next_s = 0.0
            time.sleep(0.02)
        ledger.append([Event("closed:0", EventKind.CLOSED, 1.0, message=asked)])

    driver = threading.Thread(target=drive)
    driver.start()
    assert main(["stop", str(root)]) == 0
    driver.join()
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "asked the driver head:7 to save its runs and stop …",
        f"stopped; continue with: paretoflow resume {root}",
    ]
    assert main(["stop", str(root)]) == 0
    assert "(stopped by " in capsys.readouterr().out


@pytest.mark.usefixtures("ledger")
def test_a_driver_that_does_not_obey_in_time(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _seen(root, 1)
    assert main(["stop", str(root), "--wait", "0"]) == 1
    assert " 0 s" in capsys.readouterr().out
    assert (root / STOP_FILE).exists()


@pytest.mark.usefixtures("ledger")
def test_its_job_is_ended_when_it_does_not_obey(
    root: Path, head: Head, capsys: pytest.CaptureFixture[str]
) -> None:
    _seen(root, 1)
    assert main(["stop", str(root), "--wait", "0", "--address", head.address]) == 0
    assert "ended paretoflow-circle-" in capsys.readouterr().out
    assert set(head.jobs.values()) == {"STOPPED"}
    assert main(["stop", str(root), "--wait", "0", "--address", head.address]) == 0
    assert "no job of it runs at" in capsys.readouterr().out


@pytest.mark.usefixtures("ledger")
def test_a_driver_that_is_gone(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _seen(root, 720)
    assert main(["stop", str(root)]) == 0
    assert "12 min 00 s" in capsys.readouterr().out
    assert (root / STOP_FILE).exists()


def test_a_sweep_that_no_driver_has_begun(
    root: Path, head: Head, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stop", str(root)]) == 1
    assert "no driver has begun yet" in capsys.readouterr().out
    assert not (root / STOP_FILE).exists()
    assert main(["stop", str(root), "--address", head.address]) == 0
    assert set(head.jobs.values()) == {"STOPPED"}
