"""Every malformed sweep YAML ends in status 2 with file, line and hint; no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from paretoflow.cli.main import main
from tests.unit.cli import faulty_settings, faulty_values

CASES = [*faulty_values.CASES, *faulty_settings.CASES]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text('{"q": "?"}\n')
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "line", "says"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_malformed_yaml_is_located_and_explained(folder, capsys, text, line, says):
    Path("job.yaml").write_text(text)
    assert main(["check", "job.yaml"]) == 2
    shown = capsys.readouterr()
    first = shown.err.splitlines()[0]
    assert first.startswith(f"error: job.yaml:{line}:"), shown.err
    assert says in shown.err
    assert "  hint: " in shown.err
    assert shown.out == ""
    assert "Traceback" not in shown.err


@pytest.mark.parametrize("name", ["open bracket", "negative beta", "scheme"])
def test_a_malformed_yaml_ends_the_process_with_status_2(folder, name):
    text, line = next(case[1:3] for case in CASES if case[0] == name)
    Path("job.yaml").write_text(text)
    command = [sys.executable, "-m", "paretoflow.cli.main", "check", "job.yaml"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert f"job.yaml:{line}:" in ended.stderr
    assert "hint:" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_all_faults_are_told_at_once_in_the_order_of_the_file(folder, capsys):
    Path("job.yaml").write_text(
        "name: x y\nmethod: {type: grpo, batch_size: 6}\nstop: {runs: none}\nobjectives:\n"
        "  - {name: a, type: length, range: [0, 9], ref: -1}\n"
        "  - {name: a, type: regex}\n  - {name: c}\n"
    )
    assert main(["check", "job.yaml"]) == 2
    shown = capsys.readouterr().err
    told = [line.split()[1] for line in shown.splitlines() if line.startswith("error:")]
    assert [where.split(":")[1] for where in told] == ["1", "2", "3", "5", "6", "6", "7"]
    assert "7 faults in job.yaml" in shown
    assert "objectives.a.ref" in shown


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (lambda p: None, "there is no such file"),
        (lambda p: p.mkdir(), "got a folder; allowed: a file"),
        (lambda p: p.write_bytes(b"name: x\nunit: \xff\n"), "job.yaml:2:1: the byte 0xff is not"),
        (lambda p: p.write_text("#" * (1 << 21)), "allowed: at most"),
        (lambda p: p.write_text("a: " + "[" * 5000), "nested too deeply"),
        (lambda p: p.write_text(r'name: "\UFFFFFFFF"'), "names no character"),
        (lambda p: p.write_text(r'name: "\uD800"'), "job.yaml:1:"),
        (lambda p: p.write_text("\n".join(["a0: &a0 [x, x, x, x, x, x, x, x]"] + [
            f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]" for i in range(1, 9)
        ])), "more than 100000 values"),
    ],
    ids=["missing", "folder", "not UTF-8", "huge", "deep", "no character", "half", "multiplied"],
)  # fmt: skip
def test_a_file_that_is_no_yaml_is_explained(folder, capsys, prepare, says):
    prepare(Path("job.yaml"))
    assert main(["check", "job.yaml"]) == 2
    shown = capsys.readouterr().err
    assert says in shown
    assert "hint:" in shown
    assert "Traceback" not in shown


def test_of_very_many_faults_the_first_are_shown(folder, capsys):
    Path("job.yaml").write_text("".join(f"k{i}: {i}\n" for i in range(300)))
    assert main(["check", "job.yaml"]) == 2
    shown = capsys.readouterr().err
    assert shown.count("error: job.yaml:") == 40
    assert "302 faults in job.yaml, of which the first 40 are shown" in shown


def test_a_misspelt_file_name_is_guessed(folder, capsys):
    Path("quickstart.yaml").write_text("name: x")
    assert main(["check", "quickstrat.yaml"]) == 2
    assert "did you mean quickstart.yaml?" in capsys.readouterr().err
