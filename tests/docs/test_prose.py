"""The linter of prose finds its phrases, and finds none in the pages and the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.prose import PHRASES, faults, main, phrases, prose_of

KNOWN = phrases(PHRASES.read_text(encoding="utf-8"))


def test_the_pages_and_docstrings_are_plain(capsys: pytest.CaptureFixture) -> None:
    assert main([]) == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    [
        "What a rank of a gang is at, between the driver and the run.",
        "It is taken over by its like.",
        "The latest ended runs are read anew at each choice.",
        "A run was put down unfinished because the sweep stopped.",
        "The user can mend it.",
        "Whoever reads this is told.",
    ],
)
def test_private_words_are_found(text: str) -> None:
    assert list(faults(text, KNOWN))


def test_places_are_lines() -> None:
    text = "Fine.\n\n```\ngang\n```\n\nA gang, anew."
    assert [(line, phrase) for line, phrase, _ in faults(text, KNOWN)] == [(7, "anew"), (7, "gang")]


@pytest.mark.parametrize(
    "text",
    [
        "The output has `gang` in it.",
        "See [the page](gang.md).",
        "```text\nWhat a gang is told.\n```",
        "A gang, as printed. <!-- prose: off -->",
    ],
)
def test_code_and_targets_are_no_prose(text: str) -> None:
    assert list(faults(text, KNOWN)) == []


def test_a_file_with_a_phrase_fails(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    page = tmp_path / "page.md"
    page.write_text("One line.\nIt waits for ever.\n", encoding="utf-8")
    assert main([str(page)]) == 1
    assert capsys.readouterr().out == f"{page}:2: 'for ever'; write: forever, without end\n"


def test_of_code_only_docstrings_and_comments_are_read(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    code = '''"""What a gang is at."""

told = "told"  # told in time


def f() -> str:
    """Return it.

    Anew.
    """
    return "for ever"
'''
    module.write_text(code, encoding="utf-8")
    found = {(line, phrase.lower()) for line, phrase, _ in faults(prose_of(code), KNOWN)}
    assert found == {(1, "gang"), (1, "what a"), (3, "told"), (9, "anew")}
    assert main([str(module)]) == 1
