from __future__ import annotations

from typing import Any

import pytest

from paretoflow.data.chat import turns_of_dialogue, turns_of_messages
from tests.faults import raises

USER, ANSWER = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}


def test_the_last_answer_is_dropped_and_earlier_ones_stay() -> None:
    assert turns_of_messages([USER, ANSWER, USER, ANSWER], "row 1") == [USER, ANSWER, USER]
    assert turns_of_messages([USER], "row 1") == [USER]


@pytest.mark.parametrize(
    "value", ["Hi", [1], [{"role": "user"}], [{"role": "user", "content": ["x"]}], None]
)
def test_other_shapes_of_messages_are_refused(value: Any) -> None:
    with raises("data-messages", "row 1", "messages"):
        turns_of_messages(value, "row 1")


@pytest.mark.parametrize("value", [[], [ANSWER], [{"role": "user", "content": " "}, ANSWER]])
def test_messages_with_nothing_to_answer_are_refused(value: Any) -> None:
    with raises("data-messages", "row 1", "user"):
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
    with raises("data-messages", "row 1", "dialogue"):
        turns_of_dialogue(dialogue, "row 1")


def test_dialogue_with_nothing_to_answer_is_refused() -> None:
    with raises("data-messages", "row 1", "user"):
        turns_of_dialogue("\n\nAssistant: Hello", "row 1")


PARTS = [{"type": "text", "text": "Read"}, {"type": "text", "text": "this."}]
CALL = {"type": "function", "function": {"name": "look", "arguments": '{"up": 1}'}}


@pytest.mark.parametrize(
    ("turn", "content"),
    [
        ({"role": "user", "content": PARTS}, "Read\nthis."),
        ({"role": "user", "content": [{"type": "input_text", "text": "x", "image": None}]}, "x"),
        ({"role": "user", "content": "x", "name": None, "tool_calls": None}, "x"),
        ({"from": "human", "value": "x"}, "x"),
        ({"from": "User", "value": "x", "weight": None}, "x"),
    ],
)
def test_forms_of_a_user_turn(turn: dict[str, Any], content: str) -> None:
    assert turns_of_messages([turn, ANSWER], "row 1") == [{"role": "user", "content": content}]


def test_tool_calls_stay_and_their_arguments_are_values() -> None:
    answer = {"role": "tool", "content": "r", "tool_call_id": "1", "name": "look"}
    calls = {"role": "assistant", "content": None, "tool_calls": [{**CALL, "index": None}]}
    kept = turns_of_messages([USER, calls, answer, ANSWER], "row 1")
    function = {"name": "look", "arguments": {"up": 1}}
    assert kept[1:] == [
        {"role": "assistant", "content": "", "tool_calls": [{**CALL, "function": function}]},
        answer,
    ]


def test_sharegpt_speakers_are_roles() -> None:
    speakers = ["system", "human", "gpt", "observation", "gpt"]
    rows = [{"from": name, "value": name} for name in speakers]
    roles = [turn["role"] for turn in turns_of_messages(rows, "row 1")]
    assert roles == ["system", "user", "assistant", "tool"]


@pytest.mark.parametrize(
    ("turn", "values"),
    [
        ({"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}, ["'image_url'"]),
        ({"role": "user", "content": [*PARTS, {"type": "input_audio"}]}, ["'input_audio'"]),
        ({"role": "user", "content": [{"type": "text"}]}, ["turn 1", "{'type': 'text'}"]),
        ({"role": "user", "content": None}, ["turn 1", "no content"]),
        ({"role": "user", "content": float("nan")}, ["turn 1", "no content"]),
        ({"role": "user", "content": 3}, ["turn 1", " 3"]),
        ({"role": None, "content": "x"}, ["turn 1", "no role"]),
        ({"from": "narrator", "value": "x"}, ["turn 1", "'narrator'", "human"]),
        ({"from": "human", "value": None}, ["turn 1", "no content"]),
        ({"role": "assistant", "content": None, "tool_calls": []}, ["turn 1", "no content"]),
        ({"role": "assistant", "content": "", "tool_calls": "look()"}, ["'look()'"]),
    ],
)
def test_turns_that_are_no_text_are_told(turn: dict[str, Any], values: list[str]) -> None:
    with raises("data-messages", "row 1: ", *values):
        turns_of_messages([turn, USER], "row 1")
