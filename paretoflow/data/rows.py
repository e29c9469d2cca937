"""From the rows of any source to prompts, by the columns that the spec names."""

from __future__ import annotations

import difflib
import string
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from paretoflow.core.errors import DataError
from paretoflow.core.protocols import Prompt
from paretoflow.data.chat import turns_of_dialogue, turns_of_messages
from paretoflow.data.passages import passages_of
from paretoflow.data.prompts import RenderChat, new_prompt
from paretoflow.spec.data import HubDataSpec, JsonlDataSpec, ParquetDataSpec

Row = tuple[str, Mapping[str, Any]]
"""Where a row stands, for messages, and its columns."""

_PASSAGES = "passages"


class RowReader:
    """Turns rows into prompts.

    The prompt comes from whichever of `messages`, `dialogue` and `template` the spec names, else
    from the `prompt` column. Columns with a role of their own are used up; all others, those of a
    template included, go to `Prompt.extra`.

    Args:
        spec: Names the columns.
        render_chat: Renders chat turns; None for a model without a chat template.

    Raises:
        DataError: If the spec names more than one of messages, dialogue and template, or the
            template is malformed.
    """

    def __init__(
        self, spec: JsonlDataSpec | ParquetDataSpec | HubDataSpec, render_chat: RenderChat | None
    ) -> None:
        self._columns = spec.columns
        self._max_passage_words = spec.max_passage_words
        self._render_chat = render_chat
        self._template = None if spec.template is None else _parsed(spec.template)
        rivals = {
            "data.columns.messages": spec.columns.messages,
            "data.columns.dialogue": spec.columns.dialogue,
            "data.template": spec.template,
        }
        given = [name for name, value in rivals.items() if value is not None]
        if len(given) > 1:
            raise DataError(f"{' and '.join(given)} each say what the prompt is", hint="keep one")
        fields = {field for _, field in self._template or ()}
        if _PASSAGES in fields and spec.columns.passages is None:
            hint = "name the column that holds them in data.columns.passages"
            raise DataError("the template has a place for {passages}", "data.template", hint)
        self._used = {
            spec.columns.messages,
            spec.columns.dialogue,
            spec.columns.reference,
            spec.columns.passages,
            None if given else spec.columns.prompt,
        }

    def prompts(self, rows: Iterable[Row]) -> Iterator[Prompt]:
        """Yield one prompt for each row.

        Raises:
            DataError: If a column is missing, holds the wrong thing, or the prompt is empty; names
                the row.
        """
        for where, row in rows:
            yield self._prompt(where, row)

    def _prompt(self, where: str, row: Mapping[str, Any]) -> Prompt:
        columns = self._columns
        reference = "" if columns.reference is None else _text(row, columns.reference, where)
        passages: tuple[str, ...] = ()
        if columns.passages is not None:
            value = _value(row, columns.passages, where)
            passages = passages_of(value, self._max_passage_words, where)
        text, turns = self._rendered(row, passages, where)
        if not text.strip():
            raise DataError("the prompt is empty", where, "drop the row or name another column")
        _refuse_half_characters((text, reference, *passages), where)
        extra = {name: value for name, value in row.items() if name not in self._used}
        return new_prompt(text, reference=reference, passages=passages, messages=turns, extra=extra)

    def _rendered(
        self, row: Mapping[str, Any], passages: tuple[str, ...], where: str
    ) -> tuple[str, list[dict[str, str]]]:
        """Return the prompt's text and the turns it was rendered from, none for a plain one."""
        columns = self._columns
        if columns.messages is not None:
            turns = turns_of_messages(_value(row, columns.messages, where), where)
            if self._render_chat is None:
                hint = "use a model that has one, or name a plain column in data.columns.prompt"
                raise DataError("chat messages, but the model has no chat template", where, hint)
            return self._render_chat(turns), turns
        if columns.dialogue is not None:
            plain, turns = turns_of_dialogue(_text(row, columns.dialogue, where), where)
            return (plain if self._render_chat is None else self._render_chat(turns)), turns
        if self._template is not None:
            return self._filled(row, passages, where), []
        return _text(row, columns.prompt, where), []

    def _filled(self, row: Mapping[str, Any], passages: tuple[str, ...], where: str) -> str:
        pieces: list[str] = []
        for literal, field in self._template or ():
            pieces.append(literal)
            if field == _PASSAGES:
                pieces.append(" ".join(passages))
            elif field is not None:
                pieces.append(_text(row, field, where))
        return "".join(pieces)


def existing_file(path: str) -> Path:
    """Return a path that names a file.

    Raises:
        DataError: If it does not.
    """
    file = Path(path)
    if not file.is_file():
        hint = f"data.path is relative to the folder that the command runs in, {Path.cwd()}"
        raise DataError("a folder, not a file" if file.is_dir() else "no such file", path, hint)
    return file


def _parsed(template: str) -> tuple[tuple[str, str | None], ...]:
    """Split a template into (literal text, column or None) pieces."""
    hint = "write places as {column} and braces that stand for themselves as {{ and }}"
    try:
        pieces = list(string.Formatter().parse(template))
    except ValueError as error:
        raise DataError(f"malformed template: {error}", "data.template", hint) from error
    for _, field, layout, conversion in pieces:
        if field == "" or layout or conversion:
            raise DataError(f"malformed place in {repr(template)[:80]}", "data.template", hint)
    return tuple((literal, field) for literal, field, _, _ in pieces)


def _value(row: Mapping[str, Any], column: str, where: str) -> Any:
    if column not in row:
        near = difflib.get_close_matches(column, list(row), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "see data.columns and data.template"
        what = f"no column {column!r}; there are {', '.join(map(repr, row)) or 'none'}"
        raise DataError(what, where, hint)
    return row[column]


def _text(row: Mapping[str, Any], column: str, where: str) -> str:
    """Return a column as text: numbers are written out and a null is empty."""
    value = _value(row, column, where)
    if value is None:
        return ""
    if isinstance(value, str | int | float):
        return str(value)
    hint = "chat turns belong in data.columns.messages" if isinstance(value, list | tuple) else ""
    raise DataError(f"column {column!r} must hold text, got {repr(value)[:80]}", where, hint)


def _refuse_half_characters(texts: Iterable[str], where: str) -> None:
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:  # JSON can say "\\ud83d" alone; no tokenizer takes it
            what = f"text that is no valid Unicode: half a character at position {error.start}"
            raise DataError(what, where, "write the row's file again from its source") from error
