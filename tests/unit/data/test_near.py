from __future__ import annotations

import pytest

from paretoflow.data.near import near_pairs
from paretoflow.data.prompts import new_prompt

BRIDGES = "Which of the two bridges over the river was built first, and who paid for it?"
HARVEST = "How do farmers in the north keep their harvest dry through a wet autumn?"
CHINESE = "请问这座城市的图书馆周末几点开门以及如何办理借书证"


def near(evals: list[str], others: list[str]) -> list[tuple[int, int]]:
    return near_pairs([new_prompt(t) for t in evals], [new_prompt(t) for t in others])


@pytest.mark.parametrize(
    "variant",
    [
        BRIDGES.upper(),
        f"  {BRIDGES}\n\n",
        BRIDGES.replace("?", "??").replace(",", ""),
        BRIDGES.replace("bridges", "brigdes"),
        f"Please tell me: {BRIDGES}",
        BRIDGES.replace("built", "completed"),
    ],
)
def test_small_changes_are_near_and_the_nearest_is_named(variant: str) -> None:
    assert near([HARVEST, BRIDGES], ["Another matter altogether.", variant]) == [(1, 1)]


@pytest.mark.parametrize("other", [HARVEST, "Which?", "Who paid for the bridge?", "", "…"])
def test_other_questions_are_not_near(other: str) -> None:
    assert near([BRIDGES], [other]) == []


def test_scripts_without_spaces_are_measured_too() -> None:
    assert near([CHINESE], [CHINESE.replace("请问", "")]) == [(0, 0)]
    assert near([CHINESE], [CHINESE[::-1]]) == []


def test_a_templates_words_make_nothing_near() -> None:
    form = "Read the document with care and answer in one sentence. Question: {} Answer:"
    topics = [
        f"{word} in year {year}" for word in ("wool", "tin", "rye") for year in range(1900, 1912)
    ]
    texts = [form.format(topic) for topic in topics]
    assert near(texts[::2], texts[1::2]) == []
    repeated = texts[4].replace(".", "!").replace("Q", "q")
    found = near(texts[::2], [*texts[1::2], repeated])
    assert (2, len(texts[1::2])) in found


def test_nothing_to_compare_with_is_no_fault() -> None:
    assert near([BRIDGES], []) == []
    assert near(["a", "b"], ["a", "c"]) == [(0, 0)]
