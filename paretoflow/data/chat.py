"""Chat turns, from a list of messages or from one string with a whole dialogue.

Messages may be written as OpenAI's (content as text, as a list of text parts, or null beside tool
calls) or as ShareGPT's ({from, value}). Either may end with the assistant's answer. A prompt ends
where the answer begins, so that answer is dropped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from paretoflow.core.errors import DataError
from paretoflow.data.missing import is_missing, present

Turn = dict[str, Any]
"""One turn: `role` and `content`, both texts, and the keys of a tool call."""

_SPEAKERS = {"Human": "user", "Assistant": "assistant"}
_TURN = re.compile(r"(?:\A|\n\n)(Human|Assistant):")
_SHAREGPT = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "system": "system",
    "tool": "tool",
    "observation": "tool",
    "function_response": "tool",
}
_TEXT_PARTS = ("text", "input_text", "output_text")
_BESIDE = {"assistant": ("tool_calls",), "tool": ("tool_call_id", "name")}
"""Keys that a turn keeps besides its content, by role."""

_ALLOWED = "a list of {role, content} with text in both"
_HINT = "name another column in data.columns.messages"


def turns_of_messages(value: Any, where: str) -> list[Turn]:
    """Return the turns up to the last answer, as {role, content} with text in both.

    Raises:
        DataError: If the value is not a list of turns with text, or holds nothing to answer.
    """
    return _before_the_answer(all_turns(value, where), where)


def all_turns(value: Any, where: str) -> list[Turn]:
    """Return turns as {role, content} with text in both.

    Raises:
        DataError: If the value is not a list of turns with text.
    """
    if not isinstance(value, list | tuple):
        raise DataError(
            f"messages must be {_ALLOWED}, got {_short(value)}", where, _HINT, code="data-messages"
        )
    return [_turn(turn, number, where) for number, turn in enumerate(value, start=1)]


def marked_turns(text: str) -> int:
    """Return the number of turns of a marked dialogue in a text, its start not counted."""
    return len(_TURN.findall(text))


def turns_of_dialogue(dialogue: str, where: str) -> tuple[str, list[Turn]]:
    r"""Cut a dialogue marked by `\n\nHuman:` and `\n\nAssistant:` before its last answer.

    Returns:
        The dialogue's own text up to and including the last `\n\nAssistant:`, and the turns as
        {role, content}.

    Raises:
        DataError: If there is no turn, text stands before the first, or there is nothing to answer.
    """
    marks = list(_TURN.finditer(dialogue))
    if not marks or dialogue[: marks[0].start()].strip():
        allowed = "a turn of Human: or Assistant:"
        what = f"a dialogue must begin with {allowed}, got {_short(dialogue)}"
        raise DataError(
            what, where, "name another column in data.columns.dialogue", code="data-messages"
        )
    ends = [mark.start() for mark in marks[1:]] + [len(dialogue)]
    turns: list[Turn] = [
        {"role": _SPEAKERS[mark[1]], "content": dialogue[mark.end() : end].strip()}
        for mark, end in zip(marks, ends, strict=True)
    ]
    kept = _before_the_answer(turns, where)
    plain = dialogue[: ends[len(kept) - 1]] + "\n\nAssistant:"
    return plain, kept


def _turn(turn: Any, number: int, where: str) -> Turn:
    if not isinstance(turn, Mapping):
        got = f"got {_short(turn)} as turn {number}"
        raise DataError(f"messages must be {_ALLOWED}, {got}", where, _HINT, code="data-messages")
    said = present(turn)
    if "role" not in said and "from" in said:
        said = {"role": _speaker(said["from"], number, where), "content": said.get("value")}
    role = said.get("role")
    if is_missing(role) or not isinstance(role, str):
        got = f"turn {number} has no role: {_short(turn)}"
        raise DataError(f"messages must be {_ALLOWED}; {got}", where, _HINT, code="data-messages")
    kept = {
        key: said[key]
        for key in _BESIDE.get(role, ())
        if not is_missing(said.get(key)) and said[key]
    }
    if "tool_calls" in kept:
        kept["tool_calls"] = _calls(kept["tool_calls"], number, where)
    content = said.get("content")
    if is_missing(content) and not isinstance(content, str):
        if "tool_calls" not in kept:
            got = f"turn {number} has no content: {_short(turn)}"
            raise DataError(
                f"messages must be {_ALLOWED}; {got}", where, _HINT, code="data-messages"
            )
        content = ""
    return {"role": role, "content": _text(content, number, where), **kept}


def _speaker(name: Any, number: int, where: str) -> str:
    role = _SHAREGPT.get(name.lower()) if isinstance(name, str) else None
    if role is None:
        what = f"turn {number} is from {_short(name)}; allowed: {', '.join(_SHAREGPT)}"
        raise DataError(
            what, where, "correct the row, or write {role, content}", code="data-messages"
        )
    return role


def _text(content: Any, number: int, where: str) -> str:
    """Return a turn's content as text; its parts are joined by newlines, as servers do."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list | tuple) or not all(isinstance(p, Mapping) for p in content):
        got = f"turn {number} has {_short(content)}"
        raise DataError(f"messages must be {_ALLOWED}; {got}", where, _HINT, code="data-messages")
    texts = []
    for part in content:
        kind, text = part.get("type"), part.get("text")
        if kind not in _TEXT_PARTS:
            what = f"turn {number} has a part of type {_short(kind)}; allowed: text"
            raise DataError(
                what,
                where,
                "a language model reads text alone: drop the row or part",
                code="data-messages",
            )
        if not isinstance(text, str):
            what = f"a text part of turn {number} has no text: {_short(part)}"
            raise DataError(what, where, "correct the row", code="data-messages")
        texts.append(text)
    return "\n".join(texts)


def _calls(calls: Any, number: int, where: str) -> list[Any]:
    """Return tool calls with their arguments as values: chat templates write them as JSON."""
    if not isinstance(calls, list | tuple) or not all(isinstance(c, Mapping) for c in calls):
        what = f"turn {number} has the tool calls {_short(calls)}; allowed: a list of mappings"
        raise DataError(what, where, "correct the row", code="data-messages")
    plain = []
    for call in calls:
        kept = present(call)
        function = kept.get("function")
        if isinstance(function, Mapping):
            kept["function"] = {**function, "arguments": _arguments(function.get("arguments"))}
        plain.append(kept)
    return plain


def _arguments(value: Any) -> Any:
    if not isinstance(value, str):
        return {} if value is None else value
    try:
        return json.loads(value)
    except ValueError:
        return value  # a text that is not JSON stays as it is


def _before_the_answer(turns: list[Turn], where: str) -> list[Turn]:
    kept = turns[:-1] if turns and turns[-1]["role"] == "assistant" else turns
    if not any(turn["role"] == "user" and turn["content"].strip() for turn in kept):
        raise DataError("no user turn to answer", where, "drop the row", code="data-messages")
    return kept


def _short(value: Any) -> str:
    return repr(value)[:80]
