from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from paretoflow.core.ids import digest_of
from paretoflow.embedded.pydoc import (
    MAX_WORDS,
    MIN_SENTENCES,
    PydocItem,
    items_from_docs,
    package_docs,
    pydoc_items,
    sentences_of,
)

DOC = "Return the first one. It must exist. Nothing is copied. The order is kept."


@pytest.mark.full
def test_the_task_is_the_same_in_another_process() -> None:
    program = (
        "from paretoflow.core.ids import digest_of; "
        "from paretoflow.embedded.pydoc import pydoc_items; "
        "print(digest_of([[i.symbol, i.prompt] for i in pydoc_items()]))"
    )
    other = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert other.stdout.strip() == digest_of([[i.symbol, i.prompt] for i in pydoc_items()])


def test_there_are_enough_items_and_each_is_whole() -> None:
    items = pydoc_items()
    assert len(items) > 1000
    for item in items:
        assert len(item.sentences) >= MIN_SENTENCES
        assert len(item.document.split()) <= MAX_WORDS
        assert item.prompt.startswith(f"Document: {item.document}\nQuestion: ")
        assert item.prompt.endswith("?\nAnswer:")
    assert len({i.sentences for i in items}) == len(items)


def test_no_symbol_is_on_both_sides_of_the_split() -> None:
    sides: dict[str, set[str]] = {"train": set(), "eval": set()}
    for item in pydoc_items():
        sides[item.split].add(item.symbol)
    assert sides["train"].isdisjoint(sides["eval"])
    share = len(sides["eval"]) / (len(sides["eval"]) + len(sides["train"]))
    assert 0.1 < share < 0.15  # one in eight


@pytest.mark.parametrize(
    ("count", "reference"),
    [(3, "A b. C d."), (4, "A b. C d."), (5, "A b. C d. E f.")],
)
def test_the_reference_is_the_leading_half(count: int, reference: str) -> None:
    sentences = ("A b.", "C d.", "E f.", "G h.", "I j.")[:count]
    assert PydocItem("x", "What is x?", sentences).reference == reference


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (DOC, DOC.replace(". ", ".|").split("|")),
        (
            "Folds   white\n  space here. And goes on so.",
            ["Folds white space here.", "And goes on so."],
        ),
        ("Is it so? It really is! Then it ends.", ["Is it so?", "It really is!", "Then it ends."]),
        ("Uses e.g. an abbreviation inside.", ["Uses e.g. an abbreviation inside."]),
        ("Too short. This one is kept.", ["This one is kept."]),
        (
            "Prose comes first.\n\n>>> f(1)\n2\n\nThen more prose here.",
            ["Prose comes first.", "Then more prose here."],
        ),
        ("f(a, b) -> (c | d) {e: [1, 2]}. x == y != z.", []),
        ("- a list item is no prose. Neither is this.", []),
        ("No full stop at all", []),
        ("It ends well. But this tail does not", ["It ends well."]),
        ("", []),
    ],
)
def test_prose_is_cut_into_sentences(text: str, sentences: list[str]) -> None:
    assert sentences_of(text) == sentences


def test_documents_are_cut_to_whole_sentences_and_repeats_are_dropped() -> None:
    docs = [
        ("a.f", "function", DOC),
        ("b.f", "function", DOC),
        ("b.T", "thing", "Only one sentence here."),
    ]
    (item,) = items_from_docs(iter(docs), max_words=11)
    assert item.symbol == "a.f"
    assert item.question == "What does a.f do?"
    assert item.document == "Return the first one. It must exist. Nothing is copied."
    assert next(items_from_docs(iter([("t", "thing", DOC)]))).question == "What is t?"


def test_a_package_is_read_as_text_and_never_run(tmp_path: Path) -> None:
    source = f'"""{DOC}"""\nraise SystemExit\nclass T:\n    def m(self):\n        """Inner."""\n'
    (tmp_path / "mod.py").write_text(source)
    (tmp_path / "broken.py").write_text("def f(:")
    (tmp_path / "latin.py").write_bytes(b'"""\xff."""')
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_mod.py").write_text(f'"""{DOC}"""')
    found = list(package_docs(tmp_path))
    assert found == [("mod", "thing", DOC), ("mod.T.m", "function", "Inner.")]
