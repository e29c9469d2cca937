"""A file of short questions for sweeps of tests, which loads faster than Python's documentation."""

from __future__ import annotations

import json
from pathlib import Path

from paretoflow.embedded.pydoc import format_prompt

THINGS = ("dict", "list", "tuple", "set", "bytes", "range", "slice", "str", "float", "complex")
FACTS = ("keeps items", "is made by a call", "can be compared", "has a length")


def small_data(folder: Path) -> str:
    """Write rows in the format of the embedded base; return YAML of a data source."""
    rows = [
        {
            "prompt": format_prompt(f"A {thing} {fact}. It is a type. Use it well.", f"What {n}?"),
            "reference": f"A {thing} {fact}.",
        }
        for n, thing in enumerate(THINGS)
        for fact in FACTS
    ]
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"type: jsonl, path: {path}, columns: {{prompt: prompt, reference: reference}}"
