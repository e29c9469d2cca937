"""Any terminal, any text, any end of the output: one line, and never a traceback."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from paretoflow.cli import console as module
from paretoflow.cli.console import echo, echo_log, fitting, new_console
from paretoflow.cli.main import VERBS, main
from paretoflow.exporters import exporter_of
from tests.faults import only_printed
from tests.views import measured, two_objectives

ROOT = Path(__file__).parents[3]
EVIL = "a\x1b[2Jb\x07c\rd\u202ee\x9bf"
SHOWN = r"a\x1b[2Jb\x07c\x0dd\u202ee\u009bf"


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("ascii", r"2 +- 1 ^v >= ... | \u0434 \xe9"),
        ("latin-1", "2 ± 1 ^v >= ... | \\u0434 é"),
        ("cp1252", "2 ± 1 ^v >= … | \\u0434 é"),
        ("utf-8", "2 ± 1 ↑↓ ≥ … │ д é"),
    ],
)
def test_what_an_encoding_lacks_is_replaced(encoding: str, expected: str) -> None:
    assert fitting("2 ± 1 ↑↓ ≥ … │ д é", encoding) == expected


def test_a_name_that_is_no_text_can_be_shown() -> None:
    assert fitting("caf\udce9", "utf-8") == r"caf\udce9"


def test_every_way_of_printing_shows_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console = new_console(width=200)
    table = Table(title=EVIL)
    table.add_column(EVIL)
    table.add_row(EVIL)
    table.add_row(Text(EVIL.replace("\x07", "").replace("\r", "")))  # which rich takes away
    console.print(table)
    console.print(EVIL, markup=False)
    echo(EVIL)
    echo(EVIL, err=True, mark="error:")
    echo_log("\x1b[36m(pid=1)\x1b[0m " + EVIL)
    told = capsys.readouterr()
    assert told.out.count(SHOWN) == 6
    assert told.err == f"error: {SHOWN}\n"
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", told.out)
    assert "(pid=1) a" in told.out


def test_an_error_shows_what_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["front", f"/nowhere/{EVIL}"]) == 2
    assert SHOWN in capsys.readouterr().err


def test_no_verb_prints_past_the_console() -> None:
    for path in (ROOT / "paretoflow" / "cli").glob("*.py"):
        if path.name != Path(module.__file__).name:
            assert not re.search(r"typer\.echo|click\.echo|\bprint\(|[^_]\bConsole\(", _code(path))


def _code(path: Path) -> str:
    return path.read_text(encoding="utf-8").replace("console.print(", "")


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("console")
    view = measured(two_objectives(folder / "sweep"))
    exporter_of("json").export(view, folder / "out", lambda: b"", force=False)
    return folder / "out"


def ran(
    *words: str, encoding: str = "utf-8", redirect: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command as a user does; `redirect` is a shell's, after the command."""
    argv = [sys.executable, "-m", "paretoflow.cli.main", *words]
    shell = ["bash", "-o", "pipefail", "-c", f'"$@" {redirect}', "bash", *argv]
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding}
    return subprocess.run(
        shell, capture_output=True, encoding=encoding, errors="strict", env=env, check=False
    )


@pytest.mark.parametrize("encoding", ["ascii", pytest.param("cp1252", marks=pytest.mark.full)])
def test_a_terminal_of_another_encoding_is_printed_on(export: Path, encoding: str) -> None:
    done = ran("diff", str(export), str(export), encoding=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert "hypervolume of B less that of A" in done.stdout
    refused = ran("verify", str(export / "дом"), encoding=encoding)
    assert refused.returncode == 2
    assert r"\u0434\u043e\u043c" in refused.stderr


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("redirect", "status"),
    [
        ("| head -c 1", 0),
        ("> /dev/full", 2),
        pytest.param(">&-", 0, marks=pytest.mark.full),
    ],
)
def test_an_output_that_nobody_takes_ends_without_a_traceback(
    export: Path, redirect: str, status: int
) -> None:
    done = ran("verify", str(export), "--format", "json", redirect=redirect)
    assert done.returncode == status or redirect.startswith("|")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    if status:
        only_printed(done.stderr, "storage-refused", "standard output: ", os.strerror(errno.ENOSPC))
    assert len(done.stderr.splitlines()) == status


def test_a_closed_pipe_is_no_fault(export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(sys, "stdout", Closed())
    assert main(["verify", str(export), "--format", "json"]) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["diff", "{e}", "{e}", "-o", "{bad}.png"],
        ["diff", "{e}", "{e}", "-o", "{bad}.html"],
        ["schema", "-o", "{bad}"],
    ],
    ids=lambda words: f"{words[0]}-{words[-1]}",
)
@pytest.mark.parametrize("bad", ["file/below", "n" * 300, "folder"])
def test_an_impossible_place_is_named_in_one_line(
    export: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    bad: str,
) -> None:
    (tmp_path / "file").write_text("x")
    for suffix in ("", ".png", ".html"):
        (tmp_path / f"folder{suffix}").mkdir()
    place = str(tmp_path / bad)
    assert main([w.format(e=export, bad=place) for w in words]) == 2
    told = capsys.readouterr().err
    assert str(tmp_path) in only_printed(told, "storage-refused").line
    assert len(told.splitlines()) == 2


def test_json_is_printed_for_programs_whatever_is_in_it(
    export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(export), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["export"] == str(export)


def test_help_of_every_verb_fits_any_terminal() -> None:
    texts = [verb.summary + " ".join(verb.examples) for verb in VERBS.values()]
    assert all(fitting(text, "ascii").isascii() for text in texts)


def test_a_crash_shows_neither_secrets_nor_control_characters() -> None:
    code = (
        "from paretoflow.cli.console import fit_streams; fit_streams(); "
        "raise ValueError('GET https://me:hunter2@host/x?token=abc \\x1b[2J')"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last == r"ValueError: GET https://…@host/x?… \x1b[2J"


SECRETS = ("s3://AKIA:{}@bucket/x", "https://me:{}@host/x", "s3://bucket/x?token={}")


@pytest.mark.few(12)
@pytest.mark.parametrize("place", SECRETS)
@pytest.mark.parametrize(
    "words",
    [
        ["front", "{}"],
        ["status", "{}"],
        ["diff", "{}", "{}"],
        ["compare", "{}", "a", "--baseline", "{}"],
        ["check", "jobs/quickstart.yaml", "--storage", "{}"],
        ["check", "jobs/quickstart.yaml", "--set", "storage={}"],
        ["check", "jobs/quickstart.yaml", "--set", "tracking=[{{type: mlflow, uri: '{}'}}]"],
        ["check", "jobs/quickstart.yaml", "{}"],
        ["front", "x", "--snapshot", "{}"],
        ["--{}"],
        ["{}"],
        ["resume", "{}"],
        ["verify", "{}"],
        ["export", "{}", "-o", "/dev/null/x"],
    ],
    ids=" ".join,
)
def test_no_message_repeats_the_secret_of_a_place(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    place: str,
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "400")
    secret = "hunter2hunter2"
    status = main([w.format(place.format(secret)) for w in words])
    told = capsys.readouterr()
    assert secret not in told.out + told.err
    assert bool(told.err) is (status != 0)
    assert status == 2 or "tracking" in words[-1]
