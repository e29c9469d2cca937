"""Small files of a sweep that are damaged: told with their name, or not needed; no traceback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from paretoflow.cli.main import main
from paretoflow.engine.live import EVERY_S, LIVE_FILE, GroupPhase, GroupState, LiveBoard, read_live
from paretoflow.engine.session import stop_request as stopping
from paretoflow.engine.session.stop_request import STOP_FILE, StopRequest
from paretoflow.storage import LocalFolder
from tests.sim.oracles import CircleOracle
from tests.sim.specs import circle_spec
from tests.simulated_sweeps import simulated_sweep

CONTENTS: dict[str, bytes] = {
    "no bytes": b"",
    "zeros": bytes(300),
    "torn": b'{"name": "circle", "stop": {"ru',
    "a list": b"[1, 2]",
    "a number": b"7",
    "null": b"null",
    "a string": b'"circle"',
    "no UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-16": '{"name": "circle"}'.encode("utf-16"),
    "a huge number": b'{"name": ' + b"9" * 5000 + b"}",
    "deep": b"[" * 200_000,
    "deep objects": b'{"name":' * 50_000,
    "no keys": b"{}",
    "other types": b'{"name": 7, "time_s": [], "gangs": 3, "by": {}, "epoch": "x"}',
    "not finite": b'{"name": NaN, "time_s": Infinity, "by": NaN}',
}
VERBS = (["status"], ["front"], ["snapshots"], ["stop", "--wait", "0"])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    storage = tmp_path_factory.mktemp("storage")
    return Path(
        simulated_sweep(circle_spec(storage=str(storage), stop={"runs": 4}), CircleOracle())
    )


@pytest.fixture
def sweep(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / written.name))


@pytest.mark.few(5)
@pytest.mark.parametrize("kind", CONTENTS)
def test_a_damaged_spec_is_named(
    sweep: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (sweep / "spec.json").write_bytes(CONTENTS[kind])
    for verb, *options in (*VERBS, ["report", "-o", str(sweep / "page.html")], ["resume"]):
        assert main([verb, str(sweep), *options]) in (1, 2)
        told = capsys.readouterr()
        assert "Traceback" not in told.out + told.err
        assert str(sweep / "spec.json") in told.err.replace("\n", "")


@pytest.mark.few(4)
@pytest.mark.parametrize("kind", CONTENTS)
def test_a_damaged_board_is_as_none(
    sweep: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (sweep / LIVE_FILE).write_bytes(CONTENTS[kind])
    assert read_live(LocalFolder(sweep)) is None
    for verb, *options in VERBS:
        assert main([verb, str(sweep), *options]) == 0
        assert "Traceback" not in capsys.readouterr().err


def _change(plain: dict[str, object], key: str, value: object) -> dict[str, object]:
    return {**plain, key: value}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("time_s", "now"),
        ("time_s", None),
        ("time_s", 1e999),
        ("epoch", 1.5),
        ("driver", 7),
        ("gangs", {}),
        ("gangs", [3]),
        ("gangs", [{"slot": 0}]),
        ("gangs", [{"slot": 0, "phase": "asleep", "since_s": 0.0}]),
        ("gangs", [{"slot": 0, "phase": "busy", "since_s": 0.0, "step": "many"}]),
        ("utilisation", []),
    ],
)
def test_a_board_with_a_value_of_another_type_is_as_none(
    tmp_path: Path, key: str, value: object
) -> None:
    folder = LocalFolder(tmp_path)
    board = LiveBoard(folder, epoch=1, now_s=0.0)
    board.update((GroupState(0, GroupPhase.BUSY, 0.0, "a"),), EVERY_S)
    plain = json.loads((tmp_path / LIVE_FILE).read_text())
    assert read_live(folder) is not None
    (tmp_path / LIVE_FILE).write_text(json.dumps({**plain, "of_a_newer_version": 1}))
    assert read_live(folder) is not None
    (tmp_path / LIVE_FILE).write_text(json.dumps(_change(plain, key, value)))
    assert read_live(folder) is None


@pytest.mark.parametrize("kind", CONTENTS)
def test_a_request_to_stop_that_names_nobody_is_one(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "LOOK_EVERY_S", 0.0)
    watch = StopRequest(LocalFolder(tmp_path))
    (tmp_path / STOP_FILE).write_bytes(CONTENTS[kind])
    assert watch.asked() == f"stopped by a {STOP_FILE} that names nobody"
    (tmp_path / STOP_FILE).write_text('{"by": "ann@laptop"}')
    assert watch.asked() == "stopped by ann@laptop"


@pytest.mark.parametrize("name", ["spec.json", LIVE_FILE, STOP_FILE])
def test_a_folder_in_place_of_a_file(
    sweep: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "LOOK_EVERY_S", 0.0)
    watch = StopRequest(LocalFolder(sweep))
    (sweep / name).unlink(missing_ok=True)
    (sweep / name).mkdir()
    for verb, *options in VERBS:
        assert main([verb, str(sweep), *options]) == (2 if name == "spec.json" else 0)
        assert "Traceback" not in capsys.readouterr().err
    assert watch.asked() == ""


READERS: dict[str, Callable[[Path], list[str]]] = {
    "front": lambda root: ["front", str(root), "--format", "json"],
    "export": lambda root: ["export", str(root), "-o", str(root / "ex"), "--format", "json"],
    "diff": lambda root: ["diff", f"{root}@0", str(root)],
}


@pytest.mark.parametrize("verb", READERS)
def test_a_spec_of_an_earlier_version_is_whole(sweep: Path, verb: str) -> None:
    plain = json.loads((sweep / "spec.json").read_text())
    for key in ("tracking", "seed"):
        plain.pop(key)
    plain["stop"] = {"runs": plain["stop"]["runs"]}
    (sweep / "spec.json").write_text(json.dumps(plain))
    assert main(READERS[verb](sweep)) == 0
    assert main(["status", str(sweep)]) == 0
