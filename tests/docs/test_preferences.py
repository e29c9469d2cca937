"""The layouts of the guide to people's preferences: each YAML reads rows like the one above it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from paretoflow.data import load_prompts
from paretoflow.data.needs import Needs
from paretoflow.spec.load import load_spec_text
from paretoflow.spec.objectives import moved_names
from tests.docs.pages import written

PAGE = written()["docs/guides/preferences.md"]
ROWS = 8


def layouts() -> list[tuple[str, str, str]]:
    """Return the place, the row and the YAML of each layout that shows a row."""
    row, found = "", []
    for block in PAGE.blocks:
        if block.language == "json":
            row = block.text
        elif block.language == "yaml" and row:
            found.append((block.place, row, block.text))
            row = ""
    return found


def _numbered(value: Any, number: int) -> Any:
    """Return a row of the layout with a prompt of its own."""
    text = json.dumps(value)
    for asked in ("pick a lock", "a prime"):
        text = text.replace(asked, f"{asked} of kind {number}")
    return json.loads(text)


def test_the_four_layouts_are_shown():
    assert len(layouts()) == 4


@pytest.mark.parametrize(("place", "row", "text"), layouts())
def test_a_layout_reads_rows_like_the_one_shown(place, row, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sizes = {"train": 3, "eval": 2, "validation": 2}
    shown = yaml.safe_load(text)
    rows = [_numbered(json.loads(row), number) for number in range(ROWS)]
    if "response" in rows[0]:  # a second answer to each prompt
        rows += [{**one, "response": "Nine.", "helpfulness": 1, "verbosity": 3} for one in rows]
    for source in shown["data"]["sources"]:
        lines = "".join(json.dumps(one) + "\n" for one in rows)
        Path(source["path"]).write_text(lines, encoding="utf-8")
    plain = {"name": "shown", **shown, "data": shown["data"] | sizes}
    spec = load_spec_text(yaml.safe_dump(plain), place)
    needs = Needs(objectives=moved_names(spec.objectives))
    sets = load_prompts(spec.data, seed=0, render_chat=None, needs=needs)
    assert len(sets.train) == 3
    assert {len(one.answers) for said in sets.given for one in said} == {2}
