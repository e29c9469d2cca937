from __future__ import annotations

from typing import Any

import pytest

from paretoflow.core.errors import DataError
from paretoflow.data.chat import turns_of_dialogue, turns_of_messages

USER, ANSWER = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}


def test_the_last_answer_is_dropped_and_earlier_ones_stay() -> None:
    assert turns_of_messages([USER, ANSWER, USER, ANSWER], "row 1") == [USER, ANSWER, USER]
    assert turns_of_messages([USER], "row 1") == [USER]


@pytest.mark.parametrize(
    "value", ["Hi", [1], [{"role": "user"}], [{"role": "user", "content": ["x"]}], None]
)
def test_other_shapes_of_messages_are_refused(value: Any) -> None:
    with pytest.raises(DataError, match=r"row 1: messages must be a list of \{role, content\}"):
        turns_of_messages(value, "row 1")


@pytest.mark.parametrize("value", [[], [ANSWER], [{"role": "user", "content": " "}, ANSWER]])
def test_messages_with_nothing_to_answer_are_refused(value: Any) -> None:
    with pytest.raises(DataError, match="row 1: no user turn"):
        turns_of_messages(value, "row 1")


def test_dialogue_ends_where_its_last_answer_begins() -> None:
    dialogue = (
        "\n\nHuman: One.\n\nTwo: Human: x\n\nAssistant: Yes."
        "\n\nHuman: More?\n\nAssistant: No.\n\nEnd."
    )
    plain, turns = turns_of_dialogue(dialogue, "row 1")
    assert plain == dialogue[: -len(" No.\n\nEnd.")]
    assert turns == [
        {"role": "user", "content": "One.\n\nTwo: Human: x"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "More?"},
    ]


def test_dialogue_that_waits_for_an_answer_is_kept_whole() -> None:
    plain, turns = turns_of_dialogue("Human: Hi", "row 1")
    assert (plain, turns) == ("Human: Hi\n\nAssistant:", [USER])


@pytest.mark.parametrize("dialogue", ["", "plain text", "Once:\n\nHuman: Hi\n\nAssistant: x"])
def test_text_that_is_no_dialogue_is_refused(dialogue: str) -> None:
    with pytest.raises(DataError, match="row 1: a dialogue must begin"):
        turns_of_dialogue(dialogue, "row 1")


def test_dialogue_with_nothing_to_answer_is_refused() -> None:
    with pytest.raises(DataError, match="row 1: no user turn"):
        turns_of_dialogue("\n\nAssistant: Hello", "row 1")
