"""Identity of prompts: the normal form in which two rows are the same prompt.

Unicode's compatibility form (NFKC) without case, runs of white space as one space, none at the
ends, and without invisible format characters. So `Café ?`, typed with a combining accent, in
capitals or over two lines, is one prompt. Punctuation stays: it can change the question. Of chat
turns the normal form looks at roles and contents, not at how a model's template writes them; a
single user turn is the same prompt as its plain text.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from typing import Any

from paretoflow.core.protocols import Prompt


def normal_form(text: str) -> str:
    """Return a text in normal form: without differences of spelling."""
    seen = "".join(c for c in text if unicodedata.category(c) != "Cf")
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold())
    return " ".join(folded.split())


def identity_of(prompt: Prompt) -> str:
    """Return a key that is equal for two prompts if and only if they are one prompt."""
    turns = [_normal_turn(turn) for turn in prompt.messages]
    if not turns:
        return normal_form(prompt.text)
    if len(turns) == 1 and set(turns[0]) == {"role", "content"} and turns[0]["role"] == "user":
        return str(turns[0]["content"])
    return json.dumps(turns, sort_keys=True, default=str)


def _normal_turn(turn: Mapping[str, Any]) -> dict[str, Any]:
    return {**turn, "content": normal_form(str(turn["content"]))}
