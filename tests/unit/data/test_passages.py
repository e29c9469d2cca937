from __future__ import annotations

from typing import Any

import pytest

from paretoflow.data.passages import passages_of
from tests.faults import raises

LISTS = [["Title", "One two three.", "Four five."], ["Title", "Six."], ["Title alone"]]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ("",)),
        ("", ("",)),
        ("One text.  As it\nis. ", ("One text.  As it\nis. ",)),
        (["First. Still first.", " ", "Second."], ("First. Still first.", "Second.")),
        (LISTS, ("One two three.", "Four five.", "Six.")),
        ([], ("",)),
        ([[]], ("",)),
    ],
)
def test_without_a_limit_passages_stay_as_they_are(value: Any, expected: tuple[str, ...]) -> None:
    assert passages_of(value, None, "row 1") == expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (100, ("One two three.", "Four five.", "Six.")),
        (6, ("One two three.", "Four five.", "Six.")),
        (5, ("One two three.", "Four five.")),
        (4, ("One two three.",)),
        (2, ("One two",)),
    ],
)
def test_cut_ends_before_the_first_sentence_that_does_not_fit(
    limit: int, expected: tuple[str, ...]
) -> None:
    assert passages_of(LISTS, limit, "row 1") == expected


def test_a_row_without_passages_has_one_empty_one_under_a_limit_too() -> None:
    assert passages_of([], 5, "row 1") == ("",)


def test_text_is_cut_into_sentences_and_its_white_space_folded() -> None:
    text = 'Heading\n\nA first  one, e.g. this. A second! "A third?" Ünd mehr.'
    expected = ("Heading A first one, e.g. this.", "A second!", '"A third?" Ünd mehr.')
    assert passages_of(text, 50, "row 1") == expected


@pytest.mark.parametrize(
    "value", [3, {"a": 1}, [1], [["t", 2]], [["t", ["deep"]]], [{"text": "x"}]]
)
def test_anything_else_is_refused_with_its_place(value: Any) -> None:
    with raises("data-value", "f.jsonl:3", "data.columns.passages"):
        passages_of(value, None, "f.jsonl:3")
