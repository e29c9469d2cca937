"""Conditions: select one preference of an artifact that serves many, in words and as JSON.

A condition is a mapping that a method makes. This module knows two of its keys. `prefix` is text to
insert before the prompt's last line (for a chat: of its rendered text). `select` is the rule that
chooses one of several answers. Other keys are shown as they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

BRIEF = 48
"""Longest text of a condition in a table cell, in characters."""


def condition_json(condition: Mapping[str, Any] | None) -> str | None:
    """Return a condition as JSON text, equal for equal conditions; None for none."""
    if condition is None:
        return None
    return json.dumps(dict(condition), sort_keys=True, ensure_ascii=False)


def condition_brief(condition: Mapping[str, Any] | None) -> str:
    """Return a condition as short text for a table cell; empty for none."""
    if condition is None:
        return ""
    shown = str(condition["prefix"]) if "prefix" in condition else _others(condition)
    select = condition.get("select")
    how = f"{select['type']} of {select['k']}: " if select else ""
    text = how + " ".join(shown.split())
    return text if len(text) <= BRIEF else f"{text[: BRIEF - 1]}…"


def asking_lines(condition: Mapping[str, Any] | None, bos: str = "") -> list[str]:
    """Return Python lines that apply the condition to a prompt, once the adapter is loaded.

    `bos` is an expression for the begin-of-text token that a prompt may open with; the prefix is
    inserted after it.
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
