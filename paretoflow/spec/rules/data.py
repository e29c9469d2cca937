"""Rules for data: required columns, and prompts made from them."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator

from paretoflow.spec.capabilities import CAPABILITIES
from paretoflow.spec.data import DataSpec, RowsSpec, row_sources
from paretoflow.spec.data_given import GivenSpec
from paretoflow.spec.draft import Draft, Rule
from paretoflow.spec.positions import Fault
from paretoflow.spec.shape import KeyPath


def placed(data: DataSpec) -> Iterator[tuple[KeyPath, RowsSpec]]:
    """Yield the sources of rows, each with its place."""
    for index, source in enumerate(row_sources(data)):
        yield ("data", "sources", index) if isinstance(data, GivenSpec) else ("data",), source


def _sources(draft: Draft) -> Iterator[Fault]:
    """Find objectives that need a column that is not named in the data."""
    needed = {
        "rouge": ("reference", "a reference answer for each prompt"),
        "grounding": ("passages", "passages for each prompt"),
    }
    if draft.data is None:
        return
    for index, objective in draft.objectives:
        column, need = needed.get(objective.type, ("", ""))
        for path, source in placed(draft.data):
            if column and getattr(source.columns, column) is None:
                what = f"`{objective.name}` needs {need}, and the data name no column for it"
                dotted = ".".join(map(str, path))
                hint = f"set {dotted}.columns.{column} to a column"
                yield Fault(("objectives", index, "type"), what, hint)
                break


def _columns(draft: Draft) -> Iterator[Fault]:
    """Find columns and templates that contradict each other."""
    for path, source in placed(draft.data) if draft.data is not None else ():
        yield from _of_source(path, source)


def _of_source(path: KeyPath, data: RowsSpec) -> Iterator[Fault]:
    columns, dotted = data.columns, ".".join(map(str, path))
    shapes = {
        "template": data.template,
        "columns.messages": columns.messages,
        "columns.dialogue": columns.dialogue,
    }
    given = [name for name, value in shapes.items() if value is not None]
    if len(given) > 1:
        what = f"got {' and '.join(given)}; allowed: one of them"
        yield Fault((*path, *given[1].split(".")), what, f"remove {' or '.join(given)}")
    if columns.tools is not None and columns.messages is None:
        what = "a chat template is told of tools, and the prompts are no messages"
        hint = f"set {dotted}.columns.messages, or remove this"
        yield Fault((*path, "columns", "tools"), what, hint)
    if data.max_passage_words is not None and columns.passages is None:
        what = "passages are to be cut, and no column holds passages"
        hint = f"set {dotted}.columns.passages, or remove this"
        yield Fault((*path, "max_passage_words"), what, hint)
    if data.template is not None:
        place = (*path, "template")
        yield from _template(place, data.template, has_passages=columns.passages is not None)


def _template(path: KeyPath, template: str, *, has_passages: bool) -> Iterator[Fault]:
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        hint = "write each place as {column}, and a literal brace twice: {{ or }}"
        yield Fault(path, f"the template cannot be read: {error}", hint, code="spec-not-allowed")
        return
    places = [name for _, name, _, _ in parts if name is not None]
    plain = re.compile(r"[^\W\d][\w -]*")
    odd = [
        f"{{{n}}}"
        for _, n, form, turn in parts
        if n is not None and (form or turn or not plain.fullmatch(n))
    ]
    if odd:
        what = f"got the place {odd[0]} in the template; allowed: the name of a column in braces"
        yield Fault(
            path,
            what,
            "write {column}; a literal brace is written twice: {{ or }}",
            code="spec-not-allowed",
        )
    elif not places:
        what = "the template has no place, so all prompts would be the same"
        yield Fault(path, what, "put columns in, for instance {question}", code="spec-not-allowed")
    elif "passages" in places and not has_passages:
        what = "the template has {passages}, and no column holds passages"
        hint = f"set {'.'.join(map(str, path[:-1]))}.columns.passages to a column"
        yield Fault(path, what, hint)


def _references(draft: Draft) -> Iterator[Fault]:
    """Yield the fault of a method that needs reference answers, if the data have none."""
    if draft.method is None or draft.data is None:
        return
    tag, sources = draft.method.type, row_sources(draft.data)
    lacking = any(source.columns.reference is None for source in sources)
    if "references" in CAPABILITIES[tag].needs and lacking:
        able = ", ".join(t for t, c in sorted(CAPABILITIES.items()) if "references" not in c.needs)
        what = f"got data without reference answers, which {tag} learns from"
        hint = f"name the column that holds them, or choose another method: {able} need none"
        yield Fault(("data", "columns", "reference"), what, hint)


RULES: tuple[Rule, ...] = (_sources, _columns, _references)
