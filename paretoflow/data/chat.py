"""Chat turns, from a list of messages or from one string with a whole dialogue.

Either may end with the assistant's answer. A prompt ends where the answer begins, so that one is
dropped.
"""

from __future__ import annotations

import re
from typing import Any

from paretoflow.core.errors import DataError

_SPEAKERS = {"Human": "user", "Assistant": "assistant"}
_TURN = re.compile(r"(?:\A|\n\n)(Human|Assistant):")


def turns_of_messages(value: Any, where: str) -> list[dict[str, str]]:
    """Return the turns up to the last answer, as {role, content}.

    Raises:
        DataError: If the value is not a list of such mappings, or holds nothing to answer.
    """
    if not isinstance(value, list | tuple) or not all(_is_turn(turn) for turn in value):
        allowed = "a list of {role, content} with text in both"
        what = f"messages must be {allowed}, got {repr(value)[:80]}"
        raise DataError(what, where, "name another column in data.columns.messages")
    turns = [{"role": turn["role"], "content": turn["content"]} for turn in value]
    return _before_the_answer(turns, where)


def turns_of_dialogue(dialogue: str, where: str) -> tuple[str, list[dict[str, str]]]:
    r"""Cut a dialogue marked by `\n\nHuman:` and `\n\nAssistant:` before its last answer.

    Returns:
        The dialogue's own text up to and with the last `\n\nAssistant:`, and the turns as {role,
        content}.

    Raises:
        DataError: If there is no turn, text stands before the first, or there is nothing to answer.
    """
    marks = list(_TURN.finditer(dialogue))
    if not marks or dialogue[: marks[0].start()].strip():
        allowed = "a turn of Human: or Assistant:"
        what = f"a dialogue must begin with {allowed}, got {repr(dialogue)[:80]}"
        raise DataError(what, where, "name another column in data.columns.dialogue")
    ends = [mark.start() for mark in marks[1:]] + [len(dialogue)]
    turns = [
        {"role": _SPEAKERS[mark[1]], "content": dialogue[mark.end() : end].strip()}
        for mark, end in zip(marks, ends, strict=True)
    ]
    kept = _before_the_answer(turns, where)
    plain = dialogue[: ends[len(kept) - 1]] + "\n\nAssistant:"
    return plain, kept


def _is_turn(turn: Any) -> bool:
    return isinstance(turn, dict) and all(isinstance(turn.get(k), str) for k in ("role", "content"))


def _before_the_answer(turns: list[dict[str, str]], where: str) -> list[dict[str, str]]:
    kept = turns[:-1] if turns and turns[-1]["role"] == "assistant" else turns
    if not any(turn["role"] == "user" and turn["content"].strip() for turn in kept):
        raise DataError("no user turn to answer", where, "drop the row")
    return kept
