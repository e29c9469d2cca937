from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from paretoflow.cli import main as entry
from paretoflow.cli.main import VERBS, Verb, main
from paretoflow.core.errors import SweepNotFoundError

ROOT = Path(__file__).parents[3]
HEAVY = {
    "torch", "ray", "transformers", "trl", "peft", "datasets", "pymoo", "moocore", "plotly",
    "matplotlib", "pandas", "pyarrow", "deltalake", "scipy",
}  # fmt: skip


def loaded_by(cwd, *argv):
    """Return the heavy libraries that a command leaves loaded, and its exit status."""
    code = (
        "import sys; from paretoflow.cli.main import main; status = main(sys.argv[1:]); "
        "names = {m.partition('.')[0] for m in sys.modules}; "
        f"print('LOADED', status, *sorted(names & {HEAVY!r}))"
    )
    command = [sys.executable, "-W", "error", "-c", code, *argv]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=cwd)
    _, status, *heavy = ended.stdout.splitlines()[-1].split()
    return int(status), heavy


@pytest.mark.few(2)
@pytest.mark.parametrize(
    "argv",
    [
        ["--help"],
        ["check", str(ROOT / "jobs/quickstart.yaml")],
        ["check", "jobs/nowhere.yaml"],
        ["schema"],
        ["plugins"],
    ],
    ids=lambda argv: f"{argv[0]} {Path(argv[-1]).name}",
)
def test_light_commands_load_nothing_heavy(argv, tmp_path):
    # not where a sweep of that name may be, with which `check` would compare
    status, heavy = loaded_by(tmp_path, *argv)
    assert heavy == (["pyarrow"] if argv == ["plugins"] else [])  # the ledger's table of stores
    assert status == (2 if "nowhere" in argv[-1] else 0)


def test_help_shows_every_verb(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f" {verb} " in shown for verb in VERBS)
    assert "paretoflow run jobs/quickstart.yaml" in shown


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb, capsys):
    assert main([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Example" in shown
    assert f"paretoflow {verb}" in shown
    assert "Raises:" not in shown


@pytest.mark.parametrize("verb", VERBS)
def test_no_help_shows_marks_of_its_source(verb, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    main([verb, "--help"])
    shown = capsys.readouterr().out
    assert not any(mark in shown for mark in ("\\b", "\\n", "\b", "``"))


@pytest.mark.parametrize("verb", ["export", "train-reward"])
def test_tables_in_a_help_keep_their_lines_on_80_columns(verb, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    main([verb, "--help"])
    shown = {line.strip() for line in capsys.readouterr().out.splitlines()}
    module, name = VERBS[verb].target.split(":")
    table = getattr(importlib.import_module(module), name).__doc__.split("\\b\n")[1]
    rows = [row.strip() for row in table.split("\n\n")[0].splitlines()]
    assert len(rows) > 4
    assert set(rows) <= shown


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_a_function_of_its_module(verb):
    module, name = VERBS[verb].target.split(":")
    word = verb.replace("-", "_")
    assert (module, name) == (f"paretoflow.cli.{word}", word)
    assert callable(getattr(importlib.import_module(module), name))


def test_no_arguments_show_the_help(capsys):
    assert main([]) == 2
    shown = capsys.readouterr()
    assert "Commands" in shown.out + shown.err


def test_version(capsys):
    from paretoflow import __version__

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"paretoflow {__version__}\n"


def test_a_misspelt_verb_is_guessed(capsys):
    assert main(["chekc", "x.yaml"]) == 2
    assert "Did you mean 'check'" in capsys.readouterr().err


@pytest.fixture
def verb(monkeypatch):
    """Return a way to put a function in place of a verb."""

    def put(function):
        module = type(sys)("fake_verb")
        module.fake = function
        monkeypatch.setitem(sys.modules, "fake_verb", module)
        monkeypatch.setitem(VERBS, "status", Verb("fake_verb:fake", "Fake.", ("x",)))

    return put


def test_a_users_fault_is_told_without_a_traceback(verb, capsys):
    def fake() -> None:
        raise SweepNotFoundError("no sweep lives there", "sweeps/x", "run one")

    verb(fake)
    assert main(["status"]) == 2
    told = "error[sweep-not-found]: sweeps/x: no sweep lives there\n  hint: run one\n"
    assert capsys.readouterr().err == told


def test_our_fault_is_raised(verb):
    def fake() -> None:
        raise ZeroDivisionError

    verb(fake)
    with pytest.raises(ZeroDivisionError):
        main(["status"])


def test_an_interrupt_ends_with_130(verb):
    def fake() -> None:
        raise KeyboardInterrupt

    verb(fake)
    assert main(["status"]) == 130


def test_a_verb_sets_its_exit_status(verb):
    def fake() -> None:
        raise typer.Exit(3)

    verb(fake)
    assert main(["status"]) == 3


@pytest.mark.parametrize(
    ("library", "hint"),
    [("torch", "paretoflow[train,ray]"), ("plotly.io", "paretoflow[report]")],
)
def test_a_missing_extra_is_named(verb, capsys, library, hint):
    def fake() -> None:
        raise ModuleNotFoundError("no", name=library)

    verb(fake)
    assert main(["status"]) == 2
    shown = capsys.readouterr().err
    assert library.partition(".")[0] in shown
    assert hint in shown


def test_another_missing_module_is_our_fault(verb):
    def fake() -> None:
        raise ModuleNotFoundError("no", name="paretoflow.nothing")

    verb(fake)
    with pytest.raises(ModuleNotFoundError):
        main(["status"])


def test_the_entry_point_is_declared():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"paretoflow": "paretoflow.cli.main:main"}
    assert callable(entry.main)
