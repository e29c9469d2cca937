from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from paretoflow.core.errors import DataError
from paretoflow.core.protocols import Prompt
from paretoflow.data.rows import RowReader
from paretoflow.spec.data import ColumnsSpec, JsonlDataSpec
from tests.faults import raises

TURNS = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
DIALOGUE = "\n\nHuman: Hi\n\nAssistant: Hello"


def render(turns: list[dict[str, str]]) -> str:
    return "".join(f"<{t['role']}>{t['content']}" for t in turns) + "<answer>"


def read(
    row: dict[str, Any],
    columns: dict[str, str] | None = None,
    render_chat: Callable[[list[dict[str, str]]], str] | None = None,
    **options: Any,
) -> Prompt:
    spec = JsonlDataSpec(type="jsonl", path="f", columns=ColumnsSpec(**columns or {}), **options)
    return RowReader(spec, render_chat).pools("f.jsonl", [("f.jsonl:7", row)]).train[0]


def test_a_plain_prompt_stays_as_it_is_and_the_rest_is_extra() -> None:
    prompt = read({"prompt": " Why? ", "gold": "So.", "score": 3}, {"reference": "gold"})
    assert (prompt.text, prompt.reference, prompt.messages) == (" Why? ", "So.", ())
    assert prompt.extra == {"score": 3}


def test_template_takes_columns_and_the_cut_passages() -> None:
    row = {"q": "Why {x}?", "n": 4, "docs": ["A b c. D e.", "F."]}
    template = "{{{n}}} {passages}\nQ: {q}\nA:"
    prompt = read(row, {"passages": "docs"}, template=template, max_passage_words=5)
    assert prompt.text == "{4} A b c. D e.\nQ: Why {x}?\nA:"
    assert prompt.passages == ("A b c.", "D e.")
    assert prompt.extra == {"q": "Why {x}?", "n": 4}


def test_grounding_is_measured_against_what_the_model_saw() -> None:
    row = {"docs": "Seen one. Unseen two."}
    prompt = read(row, {"passages": "docs"}, template="{passages}", max_passage_words=2)
    assert prompt.text == "Seen one."
    assert prompt.passages == ("Seen one.",)


def test_messages_are_rendered_and_kept() -> None:
    prompt = read({"chat": TURNS, "prompt": "unused"}, {"messages": "chat"}, render)
    assert prompt.text == "<user>Hi<answer>"
    assert prompt.messages == (TURNS[0],)
    assert prompt.extra == {"prompt": "unused"}


def test_messages_need_a_chat_template() -> None:
    with raises("data-chat-template", "f.jsonl:7"):
        read({"chat": TURNS}, {"messages": "chat"})


def test_dialogue_is_rendered_or_stays_in_its_own_form() -> None:
    rendered = read({"chosen": DIALOGUE}, {"dialogue": "chosen"}, render)
    plain = read({"chosen": DIALOGUE}, {"dialogue": "chosen"})
    assert rendered.text == "<user>Hi<answer>"
    assert plain.text == "\n\nHuman: Hi\n\nAssistant:"
    assert rendered.messages == plain.messages == (TURNS[0],)


def test_missing_column_names_those_there_are_and_the_nearest() -> None:
    with pytest.raises(DataError) as caught:
        read({"question": "?", "golden": "x"}, {"prompt": "questoin"})
    assert str(caught.value) == (
        "f.jsonl:7: no column 'questoin'; there are 'question', 'golden' (did you mean 'question'?)"
    )


def test_missing_column_of_a_template_is_named() -> None:
    with raises("data-column", "'quest'", "'question'"):
        read({"question": "?"}, template="{quest}")


@pytest.mark.parametrize("row", [{"prompt": ""}, {"prompt": " \n"}, {"prompt": None}])
def test_an_empty_prompt_is_refused_with_its_row(row: dict[str, Any]) -> None:
    with raises("data-empty", "f.jsonl:7"):
        read(row)


def test_chat_turns_in_a_text_column_are_refused() -> None:
    with raises("data-value", "'prompt'", "data.columns.messages"):
        read({"prompt": TURNS})


def test_half_a_character_is_refused() -> None:
    with raises("data-value", "position 2"):
        read({"prompt": "ab\ud83d"})


def test_null_reference_is_no_reference() -> None:
    assert read({"prompt": "?", "gold": None}, {"reference": "gold"}).reference == ""


def test_a_template_cannot_reach_into_values() -> None:
    with raises("data-column", "'prompt.__class__'"):
        read({"prompt": "x"}, template="{prompt.__class__}")


def test_tools_reach_the_chat_template() -> None:
    seen: list[Any] = []

    def with_tools(turns: list[dict[str, Any]], tools: list[Any] | None = None) -> str:
        seen.append(tools)
        return "text"

    tools = [{"type": "function", "function": {"name": "look"}}]
    columns = {"messages": "chat", "tools": "tools"}
    assert read({"chat": TURNS, "tools": tools}, columns, with_tools).extra == {}
    read({"chat": TURNS, "tools": None}, columns, with_tools)
    assert seen == [tools, None]
    with raises("data-value", "'tools'", "'look'"):
        read({"chat": TURNS, "tools": "look"}, columns, with_tools)
