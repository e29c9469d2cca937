"""How an artifact that serves many preferences is asked for one, in words and as JSON.

A condition is a mapping that a method makes. Two of its keys are known here: `prefix`, text to put
before the prompt's last line (of a chat: of its rendered text), and `select`, how one of several
answers is chosen. What else it holds is shown as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

BRIEF = 48
"""Characters that a table has for a condition."""


def condition_json(condition: Mapping[str, Any] | None) -> str | None:
    """Return a condition as JSON text, the same for equal ones; None for none."""
    if condition is None:
        return None
    return json.dumps(dict(condition), sort_keys=True, ensure_ascii=False)


def condition_brief(condition: Mapping[str, Any] | None) -> str:
    """Return a condition in few characters, for a cell; empty for none."""
    if condition is None:
        return ""
    shown = str(condition["prefix"]) if "prefix" in condition else _others(condition)
    select = condition.get("select")
    how = f"{select['type']} of {select['k']}: " if select else ""
    text = how + " ".join(shown.split())
    return text if len(text) <= BRIEF else f"{text[: BRIEF - 1]}…"


def asking_lines(condition: Mapping[str, Any] | None, bos: str = "") -> list[str]:
    """Return the Python lines that ask for the preference, once the adapter is loaded.

    `bos` is an expression for the begin-of-text token that a prompt may open with; the words go
    behind it.
    """
    if condition is None:
        return []
    lines = []
    select = condition.get("select")
    if select:
        draws = len(select.get("draws", ()))
        lines.append(f"# keep the best of {draws} answers, one to each prompt of select.draws:")
        lines.append(f"# {condition_json(condition)}")
    elif "prefix" in condition:
        words = json.dumps(condition["prefix"], ensure_ascii=False)
        lines.append('cut = prompt.rstrip("\\n").rfind("\\n") + 1  # before the last line')
        if bos:
            lines.append(f"if cut == 0 and {bos} and prompt.startswith({bos}):")
            lines.append(f"    cut = len({bos})")
        lines.append(f"prompt = prompt[:cut] + {words} + prompt[cut:]")
    else:
        lines.append(f"# ask it with {_others(condition)}")
    return lines


def _others(condition: Mapping[str, Any]) -> str:
    rest = {k: v for k, v in condition.items() if k not in ("prefix", "select")}
    return condition_json(rest) or ""
