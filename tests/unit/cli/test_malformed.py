"""Every malformed sweep YAML ends in status 2 with file, line and hint; no traceback."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from paretoflow.cli.main import main
from tests.faults import only_printed, printed
from tests.unit.cli import faulty_settings, faulty_values

CASES = [*faulty_values.CASES, *faulty_settings.CASES]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text('{"q": "?"}\n')
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "line", "fault"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_malformed_yaml_is_located_and_explained(folder, capsys, text, line, fault):
    Path("job.yaml").write_text(text)
    assert main(["check", "job.yaml"]) == 2
    shown = capsys.readouterr()
    code, key, *values = fault
    told = [t for t in printed(shown.err) if t.code == code and all(v in t for v in values)]
    assert told, shown.err
    place = rf"job\.yaml:{line}:\d+" + (f" {re.escape(key)}: " if key else ": ")
    assert re.match(place, told[0].line), shown.err
    assert told[0].hint
    assert shown.out == ""
    assert "Traceback" not in shown.err


@pytest.mark.few(1)
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
    told = [(fault.line.split(":")[1], fault.code) for fault in printed(shown)]
    assert told == [
        ("1", "spec-not-allowed"),
        ("2", "spec-contradiction"),
        ("3", "spec-wrong-type"),
        ("5", "spec-not-allowed"),
        ("6", "spec-contradiction"),
        ("6", "spec-duplicate-key"),
        ("7", "spec-missing-key"),
    ]
    assert "7 faults in job.yaml" in shown
    assert "objectives.a.ref" in shown


@pytest.mark.parametrize(
    ("prepare", "fault"),
    [
        (lambda p: None, ("spec-missing-file", "job.yaml: ")),
        (lambda p: p.mkdir(), ("spec-unusable-file", "job.yaml: ")),
        (lambda p: p.write_bytes(b"name: x\nunit: \xff\n"), ("spec-syntax", "yaml:2:1", "0xff")),
        (lambda p: p.write_text("#" * (1 << 21)), ("spec-unusable-file", "2097152", "1048576")),
        (lambda p: p.write_text("a: " + "[" * 5000), ("spec-syntax", "job.yaml", "nested")),
        (lambda p: p.write_text(r'name: "\UFFFFFFFF"'), ("spec-syntax", "job.yaml", r"\U")),
        (lambda p: p.write_text(r'name: "\uD800"'), ("spec-wrong-type", "job.yaml:1:")),
        (lambda p: p.write_text("\n".join(["a0: &a0 [x, x, x, x, x, x, x, x]"] + [
            f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]" for i in range(1, 9)
        ])), ("spec-syntax", "job.yaml:", "100000")),
    ],
    ids=["missing", "folder", "not UTF-8", "huge", "deep", "no character", "half", "multiplied"],
)  # fmt: skip
def test_a_file_that_is_no_yaml_is_explained(folder, capsys, prepare, fault):
    prepare(Path("job.yaml"))
    assert main(["check", "job.yaml"]) == 2
    code, *values = fault
    told = next(t for t in printed(capsys.readouterr().err) if t.code == code)
    assert [value for value in values if value not in told] == []
    assert told.hint


def test_of_very_many_faults_the_first_are_shown(folder, capsys):
    Path("job.yaml").write_text("".join(f"k{i}: {i}\n" for i in range(300)))
    assert main(["check", "job.yaml"]) == 2
    shown = capsys.readouterr().err
    assert len(printed(shown)) == 40
    assert re.search(r"\b302\b.* job\.yaml.*\b40\b", shown.splitlines()[-1])


def test_a_misspelt_file_name_is_guessed(folder, capsys):
    Path("quickstart.yaml").write_text("name: x")
    assert main(["check", "quickstrat.yaml"]) == 2
    only_printed(
        capsys.readouterr().err, "spec-missing-file", "quickstrat.yaml", "quickstart.yaml?"
    )
