from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from paretoflow.engine.session.folder import enter_folder
from paretoflow.engine.session.home import FOLDER_FILE, home_of, note_home
from tests.faults import raises
from tests.sim.specs import circle_spec

ROWS = {"data": {"type": "jsonl", "path": "rows/d.jsonl"}}
PAIRS = {"data": {"type": "preferences", "sources": [{"path": "a/b"}, {"path": "rows/p.jsonl"}]}}
SCORER = {"objectives": [{"type": "import", "path": "own.scores:vowels"}]}
NOTHING: dict[str, Any] = {"data": {"type": "pydoc"}, "objectives": [{"type": "length"}]}


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a sweep that was begun in `proj`; the current one is `other`."""
    for name in ("proj", "other", "sweep"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "proj")
    note_home(tmp_path / "sweep")
    monkeypatch.chdir(tmp_path / "other")
    return tmp_path / "sweep"


def test_the_folder_is_that_of_the_first_command(begun: Path) -> None:
    note_home(begun)
    assert home_of(begun, ROWS | SCORER) == begun.parent / "proj"
    note_home(begun, again=True)
    assert home_of(begun, ROWS | SCORER) == begun.parent / "other"


def test_a_sweep_of_an_earlier_version_starts_at_the_current_folder(begun: Path) -> None:
    (begun / FOLDER_FILE).unlink()
    assert home_of(begun, ROWS) == Path.cwd()


@pytest.mark.parametrize(
    ("spec", "file"),
    [
        (ROWS, "rows/d.jsonl"),
        (PAIRS, "rows/p.jsonl"),
        (SCORER, "own.py"),
        (SCORER, "own/scores.py"),
    ],
)
def test_a_project_that_was_moved_goes_on_where_its_files_are(
    begun: Path, spec: dict[str, Any], file: str
) -> None:
    (begun.parent / "proj").rmdir()
    with raises("spec-missing-file", "/proj; ", f" {file.split('/')[0]}") as caught:
        home_of(begun, spec)
    assert caught.value.hint
    Path(file).parent.mkdir(exist_ok=True)
    Path(file).write_text("x")
    assert home_of(begun, spec) == Path.cwd()


def test_what_names_nothing_relative_needs_no_folder(begun: Path) -> None:
    (begun.parent / "proj").rmdir()
    whole = {"data": {"type": "parquet", "path": str(begun / "d.parquet")}}
    for spec in (NOTHING, whole, {"objectives": [{"type": "import", "path": "json:dumps"}]}):
        assert home_of(begun, spec) == Path.cwd()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"folder": 3}', '{"folder": "proj"}', "{}"])
def test_a_damaged_note_is_named(begun: Path, content: str) -> None:
    (begun / FOLDER_FILE).write_text(content)
    with raises("ledger", "folder.json"):
        home_of(begun, ROWS)


def test_it_is_noted_where_the_sweep_is_entered_but_for_a_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    enter_folder(circle_spec(), tmp_path / "there", elsewhere=True)
    assert not (tmp_path / "there" / FOLDER_FILE).exists()
    enter_folder(circle_spec(), tmp_path / "here")
    note = json.loads((tmp_path / "here" / FOLDER_FILE).read_text())
    assert note == {"folder": str(tmp_path)}
