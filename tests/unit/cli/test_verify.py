"""export --format and verify, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paretoflow.cli.main import main
from paretoflow.core.views import SweepView
from paretoflow.engine.read import sweep as engine_sweep
from paretoflow.exporters import TAGS
from tests.faults import only_printed, printed
from tests.views import measured, two_objectives


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "sweeps" / "demo"
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text('{"name": "demo"}')
    made: SweepView = measured(two_objectives(folder))
    monkeypatch.setattr(engine_sweep, "read_sweep", lambda folder, snapshot=None: made)
    return str(folder)


@pytest.mark.few(4)
@pytest.mark.parametrize("tag", sorted(TAGS))
def test_every_format_can_be_exported_and_verified_as_told(
    tag: str, root: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "my front"
    assert main(["export", root, "-o", str(out), "--format", tag]) == 0
    wrote, check = capsys.readouterr().out.splitlines()
    assert wrote == f"wrote {out}"
    digest = check.rsplit(" ", 1)[1]
    assert check == f"check it: paretoflow verify '{out}' --digest {digest}"
    assert main(["verify", str(out), "--digest", digest]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{out} is as exported: demo, front 3\n")
    assert "8 evaluations give the same 5 points and the same hypervolume 16.6" in said
    assert "not asked" not in said


def test_verify_json_names_what_was_checked(
    root: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    main(["export", root, "-o", str(out), "--format", "csv"])
    capsys.readouterr()
    assert main(["verify", str(out), "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["format"], facts["files"], facts["adapters"]) == ("csv", 2, 0)
    assert facts["interval_recomputed"] is True


def test_a_tampered_export_exits_with_2_and_names_everything(
    root: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    main(["export", root, "-o", str(out), "--format", "csv"])
    (out / "front.csv").write_text((out / "front.csv").read_text().replace("0.52", "0.92"))
    (out / "note").write_text("x")
    capsys.readouterr()
    assert main(["verify", str(out)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (told,) = printed(captured.err)
    assert told.code == "export-damaged"
    for value in (str(out), "2 "):
        assert value in told
    for name in ("front.csv: ", "note: "):
        assert name in captured.err
    assert "hint: " in captured.err
    assert "Traceback" not in captured.err


def test_an_unknown_format_is_refused_before_anything_is_written(
    root: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", root, "-o", str(tmp_path / "x"), "--format", "vlm"]) == 2
    only_printed(capsys.readouterr().err, "plugin-unknown", "'vlm'", "vllm?")
    assert not (tmp_path / "x").exists()


def test_tables_need_no_matplotlib(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paretoflow.report import picture

    def never(view: SweepView) -> bytes:
        raise AssertionError("drawn for nothing")

    monkeypatch.setattr(picture, "static_plot", never)
    assert main(["export", root, "-o", str(tmp_path / "x"), "--format", "json"]) == 0


def test_help_names_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(tag in text for tag in TAGS)
