"""`resume` on this machine, with a simulated backend in the place of Ray's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paretoflow.cli.main import main
from paretoflow.engine.read.sweep import open_sweep_folder
from tests.faults import only_printed
from tests.unit.cli.test_run import RUN, Backend, backend

__all__ = ["backend"]  # the fixture

ROOT = "sweeps/circle"


def test_a_sweep_goes_on_without_its_yaml(
    backend: type[Backend], capsys: pytest.CaptureFixture[str]
) -> None:
    backend.patience = 4
    assert main(RUN) == 130
    backend.patience = 10**6
    Path("job.yaml").unlink()
    capsys.readouterr()
    assert main(["resume", ROOT, "--no-fsync"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("continuing: ")
    assert "6 runs finished, 0 failed, 0 pending" in text
    state = open_sweep_folder(Path(ROOT)).state
    assert (state.finished, state.failed) == (6, 0)


def test_a_finished_sweep_grows(backend: type[Backend], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(RUN) == 0
    capsys.readouterr()
    assert main(["resume", ROOT, "--no-fsync", "--set", "stop.runs=8", "--address", "auto"]) == 0
    assert ": 6 of 8 runs " in capsys.readouterr().out.splitlines()[0]
    assert backend.addresses == [None, "auto"]


def test_a_sweep_that_nobody_began_is_begun(backend: type[Backend], tmp_path: Path) -> None:
    from paretoflow.engine.session.folder import enter_folder, sweep_root
    from paretoflow.spec.load import load_spec

    spec = load_spec(Path("job.yaml"))
    enter_folder(spec, sweep_root(spec))
    assert main(["resume", str(tmp_path / ROOT), "--no-fsync"]) == 0
    assert open_sweep_folder(Path(ROOT)).state.finished == 6


def test_ctrl_c_says_the_same_command(
    backend: type[Backend], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(RUN) == 0
    backend.patience = 2
    words = ["resume", ROOT, "--set", "stop.runs=9", "--address", "auto"]
    assert main([*words, "--no-fsync"]) == 130
    assert f": paretoflow {' '.join(words)}\n" in capsys.readouterr().out


@pytest.mark.usefixtures("backend")
def test_only_what_may_change_is_changed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(RUN) == 0
    before = Path(ROOT, "spec.json").read_bytes()
    assert main(["resume", ROOT, "--set", "seed=4"]) == 2
    only_printed(capsys.readouterr().err, "spec-fixed", "--set: ", "`seed`", "engine, stop")
    assert Path(ROOT, "spec.json").read_bytes() == before


@pytest.mark.few(1)
@pytest.mark.parametrize("place", ["absolute", "relative"])
def test_it_goes_on_from_any_folder_in_that_of_its_first_command(
    backend: type[Backend],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    place: str,
) -> None:
    backend.patience = 4
    assert main(RUN) == 130
    backend.patience = 10**6
    begun = Path.cwd()
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    name = str(begun / ROOT) if place == "absolute" else f"../{ROOT}"
    capsys.readouterr()
    assert main(["resume", name, "--no-fsync"]) == 0
    assert str(begun) in capsys.readouterr().err
    assert Path.cwd() == tmp_path / "other"  # the caller's stays
    assert backend.folders == [begun, begun]
    assert open_sweep_folder(begun / ROOT).state.finished == 6


def test_a_folder_that_is_gone_is_told(
    backend: type[Backend],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    backend.patience = 4
    assert main(RUN) == 130
    root = tmp_path / "kept"
    Path(ROOT).rename(root)
    note = root / "folder.json"
    note.write_text(note.read_text().replace(str(Path.cwd()), str(tmp_path / "gone")))
    spec = root / "spec.json"
    plain = json.loads(spec.read_text())
    own = {key: plain["objectives"][0][key] for key in ("name", "direction", "range", "ref")}
    plain["objectives"][0] = own | {"type": "import", "path": "own_scores:left"}
    spec.write_text(json.dumps(plain))
    capsys.readouterr()
    assert main(["resume", str(root)]) == 2
    gone = str(tmp_path / "gone")
    only_printed(capsys.readouterr().err, "spec-missing-file", gone, "own_scores.py")
