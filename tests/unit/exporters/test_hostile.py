"""Exports made to lead a reader elsewhere, to hang it or to fill its memory."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from paretoflow.cli.main import main
from paretoflow.core.errors import ExportError
from paretoflow.exporters import exporter_of, plain_files, table_files
from paretoflow.exporters.plain_files import content_of
from paretoflow.exporters.verify import verify_export
from paretoflow.exporters.writing import is_export
from tests.faults import raises
from tests.views import measured, two_objectives


@pytest.fixture
def out(tmp_path: Path) -> Path:
    view = measured(two_objectives(tmp_path / "sweep"))
    exporter_of("folder").export(view, tmp_path / "out", lambda: b"picture", force=False)
    return tmp_path / "out"


def edit_manifest(out: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = out / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def elsewhere(out: Path, name: str) -> None:
    """Move a part of an export away, and put a link to it in its place."""
    away = out.parent / f"away-{Path(name).name}"
    shutil.move(out / name, away)
    (out / name).symlink_to(away)


@pytest.mark.parametrize(
    "name", ["manifest.json", "evaluations.parquet", "adapters", "adapters/{a}", "adapters/{a}/{w}"]
)
def test_no_link_is_followed_at_any_part_of_a_path(out: Path, name: str) -> None:
    adapter = next((out / "adapters").iterdir()).name
    name = name.format(a=adapter, w="adapter_model.safetensors")
    elsewhere(out, name)
    with raises("export-damaged", "is a link"):
        verify_export(out)
    assert main(["verify", str(out)]) == 2


@pytest.mark.parametrize("name", ["manifest.json", "front.parquet", "README.md"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_plain_file_is_not_opened(out: Path, name: str, kind: str) -> None:
    (out / name).unlink()
    if kind == "pipe":
        os.mkfifo(out / name)
    elif kind == "folder":
        (out / name).mkdir()
    else:
        (out / name).symlink_to("/dev/zero")
    with pytest.raises(ExportError):
        verify_export(out)
    assert is_export(out) is (name != "manifest.json")


@pytest.mark.parametrize("verb", ["verify", "diff"])
def test_a_table_that_is_a_pipe_ends_no_reader_in_waiting(out: Path, verb: str) -> None:
    (out / "evaluations.parquet").unlink()
    os.mkfifo(out / "evaluations.parquet")
    assert main([verb, *[str(out)] * (2 if verb == "diff" else 1)]) == 2


def test_large_files_are_not_read(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (out / "manifest.json").open("ab") as stream:
        stream.truncate(plain_files.LARGEST_TEXT + 1)  # sparse: it takes no space
    with raises("export-damaged", "67,108,864"):
        verify_export(out)
    assert not is_export(out)


def test_deep_json_and_long_numbers_are_damage(out: Path) -> None:
    for text in ("[" * 200_000, '{"format": ' + "9" * 10_000 + "}", "null", '"paretoflow-front"'):
        (out / "manifest.json").write_text(text)
        with raises("export-damaged", "is damaged"):
            verify_export(out)


def test_a_small_table_that_unfolds_into_much_is_refused(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = out / "evaluations.parquet"
    pq.write_table(pa.table({"x": pa.array([0.0] * 2_000_000)}), path)
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(table_files, "MOST_CELLS", 1_000_000)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    edit_manifest(out, lambda m: m["files"].update({path.name: digest}))
    with raises("export-damaged", "2,000,000"):
        verify_export(out)


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "adapters/../../x", "a\\..\\b", ""])
@pytest.mark.parametrize("place", ["files", "tables", "adapter"])
def test_names_that_lead_out_are_refused_wherever_they_are(
    out: Path, name: str, place: str
) -> None:
    def change(manifest: dict[str, Any]) -> None:
        if place == "files":
            manifest["files"][name] = "0" * 64
        elif place == "tables":
            manifest["tables"]["front"] = name
            manifest["files"][name] = "0" * 64
        else:
            manifest["points"][0]["adapter"] = name

    edit_manifest(out, change)
    with raises("export-damaged", "manifest.json"):
        verify_export(out)


def test_names_that_a_terminal_would_obey_are_shown(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (out / "clear\x1b[2J\u202e\r").write_text("x")
    assert main(["verify", str(out)]) == 2
    told = capsys.readouterr().err
    assert r"clear\x1b[2J\u202e\x0d: was added" in told
    assert "\x1b[2J" not in told


def test_what_the_system_refuses_is_told(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = plain_files.os.open

    def refuse(path: Any, *args: Any) -> int:
        if Path(path).name == "front.png":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args)

    monkeypatch.setattr(plain_files.os, "open", refuse)
    with raises("export-damaged", "front.png"):
        verify_export(out)


def test_no_more_than_asked_is_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert content_of(tmp_path, "x", 3) == b"abc"
    with raises("export-damaged", "3 bytes", "2"):
        content_of(tmp_path, "x", 2)


@pytest.mark.parametrize("tag", ["arrow", "parquet"])
def test_a_damaged_table_ends_no_process(tmp_path: Path, tag: str) -> None:
    """Offsets that lead out of their buffers are found, not followed: Arrow itself would crash."""
    view = measured(two_objectives(tmp_path / "sweep"))
    exporter_of(tag).export(view, tmp_path / "out", lambda: b"", force=False)
    path = tmp_path / "out" / f"evaluations.{tag}"
    whole = path.read_bytes()
    refused = 0
    for start in range(8, len(whole) - 8, len(whole) // 200):
        path.write_bytes(whole[:start] + b"\xff\x7f" + whole[start + 2 :])
        try:
            table_files.read_rows(path)
        except ExportError:
            refused += 1
    assert refused > 10
