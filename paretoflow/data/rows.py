"""Turn the rows of any source into prompts, by the columns in the spec."""

from __future__ import annotations

import string
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from paretoflow.core.errors import DataError, UserError
from paretoflow.core.protocols import Prompt
from paretoflow.data.bad_rows import BadRows, Row
from paretoflow.data.cells import as_text, no_column, not_text, refuse_half_characters, value_in
from paretoflow.data.chat import Turn, turns_of_dialogue, turns_of_messages
from paretoflow.data.missing import is_missing, present
from paretoflow.data.passages import passages_of
from paretoflow.data.prompts import Pools, RenderChat, new_prompt
from paretoflow.spec.data import ColumnsSpec, RowsSpec

_PASSAGES = "passages"


class RowReader:
    """Turns rows into prompts.

    The prompt comes from whichever of `messages`, `dialogue` and `template` the spec names, else
    from the `prompt` column. Columns with a role of their own are not kept; all others, including
    those of a template, go to `Prompt.extra`.

    Args:
        spec: Names the columns, and sets the treatment of bad rows.
        render_chat: Renders chat turns; None for a model without a chat template.
        used: Further columns with a role of their own.
    """

    def __init__(
        self,
        spec: RowsSpec,
        render_chat: RenderChat | None,
        used: Collection[str | None] = (),
    ) -> None:
        self._columns: ColumnsSpec = spec.columns
        self._skip = getattr(spec, "on_bad_row", "error") == "skip"
        self._max_passage_words = spec.max_passage_words
        self._render_chat = render_chat
        self._template = None if spec.template is None else _parsed(spec.template)
        shaped = (spec.columns.messages, spec.columns.dialogue, spec.template) != (None, None, None)
        self._used = {
            spec.columns.messages,
            spec.columns.dialogue,
            spec.columns.reference,
            spec.columns.passages,
            spec.columns.tools,
            None if shaped else spec.columns.prompt,
            *used,
        }
        self._never: dict[str, DataError] = {}
        self._seen: set[str] = set()

    def pools(self, source: str, rows: Iterable[Row]) -> Pools:
        """Return the prompt of each row, and the rows that gave none.

        Raises:
            DataError: If a row is bad (a column is missing or holds the wrong thing, or the prompt
                is empty) and the spec allows none, or most are; names the row.
        """
        bad = BadRows(self._skip)
        found = list(bad.good(rows, lambda where, row: (self.prompt(where, row), where)))
        bad.require_few(len(found), source)
        self.require_seen()
        prompts, places = zip(*found, strict=True) if found else ((), ())
        return Pools(source, tuple(prompts), places=tuple(places), bad=bad)

    def require_seen(self) -> None:
        """Refuse a source in which an optional column is missing from every row.

        Raises:
            DataError: With the first row.
        """
        for column, absent in self._never.items():
            if column not in self._seen:
                raise absent

    def prompt(self, where: str, row: Mapping[str, Any]) -> Prompt:
        """Return the prompt of one row.

        Raises:
            DataError: If it has none; names the row.
        """
        columns = self._columns
        reference = ""
        passages: tuple[str, ...] = ()
        if columns.reference is not None:
            value = self._optional(row, columns.reference, where)
            reference = as_text(value, columns.reference, where)
        if columns.passages is not None:
            value = self._optional(row, columns.passages, where)
            passages = passages_of(value, self._max_passage_words, where)
        text, turns = self._rendered(row, passages, where)
        if not text.strip():
            raise DataError(
                "the prompt is empty",
                where,
                "drop the row or name another column",
                code="data-empty",
            )
        refuse_half_characters((text, reference, *passages), where)
        extra = {name: value for name, value in row.items() if name not in self._used}
        return new_prompt(text, reference=reference, passages=passages, messages=turns, extra=extra)

    def _optional(self, row: Mapping[str, Any], column: str, where: str) -> Any:
        """Return the value of an optional column, which at least one row must have."""
        if column in row:
            self._seen.add(column)
            return row[column]
        self._never.setdefault(column, no_column(row, column, where))
        return None

    def _rendered(
        self, row: Mapping[str, Any], passages: tuple[str, ...], where: str
    ) -> tuple[str, list[Turn]]:
        """Return the prompt's text and its chat turns; a plain prompt has no turns."""
        columns = self._columns
        if columns.messages is not None:
            turns = turns_of_messages(value_in(row, columns.messages, where), where)
            if self._render_chat is None:
                hint = "use a model that has one, or name a plain column in data.columns.prompt"
                raise DataError(
                    "chat messages, but the model has no chat template",
                    where,
                    hint,
                    code="data-chat-template",
                )
            return self._chat(self._render_chat, turns, row, where), turns
        if columns.dialogue is not None:
            dialogue = as_text(value_in(row, columns.dialogue, where), columns.dialogue, where)
            plain, turns = turns_of_dialogue(dialogue, where)
            if self._render_chat is None:
                return plain, turns
            return self._chat(self._render_chat, turns, row, where), turns
        if self._template is not None:
            return self._filled(row, passages, where), []
        value = value_in(row, columns.prompt, where)
        if isinstance(value, int | float) and not is_missing(value):
            raise not_text(value, columns.prompt, where)
        return as_text(value, columns.prompt, where), []

    def _chat(
        self, render: RenderChat, turns: list[Turn], row: Mapping[str, Any], where: str
    ) -> str:
        named = self._columns.tools
        tools = None if named is None else self._optional(row, named, where)
        if tools is not None and not isinstance(tools, list | tuple):
            raise DataError(
                f"column {named!r} must hold a list of tools, got {repr(tools)[:80]}",
                where,
                "name another column in data.columns.tools",
                code="data-value",
            )
        try:
            return render(turns, present(tools)) if tools else render(turns)
        except UserError as error:  # a chat template may refuse the roles of a single row
            raise DataError(error.what, where, error.hint, code="data-chat-template") from error

    def _filled(self, row: Mapping[str, Any], passages: tuple[str, ...], where: str) -> str:
        pieces: list[str] = []
        values = []
        for literal, field in self._template or ():
            pieces.append(literal)
            if field == _PASSAGES:
                pieces.append(" ".join(passages))
            elif field is not None:
                values.append(as_text(value_in(row, field, where), field, where))
                pieces.append(values[-1])
        if values and not any(value.strip() for value in values):
            what = "the prompt is empty: all columns of the template are"
            raise DataError(what, where, "drop the row or name other columns", code="data-empty")
        return "".join(pieces)


def existing_file(path: str) -> Path:
    """Return a path that names a file.

    Raises:
        DataError: If it does not.
    """
    file = Path(path)
    if not file.is_file():
        hint = f"data.path is relative to the folder that the command runs in, {Path.cwd()}"
        raise DataError(
            "a folder, not a file" if file.is_dir() else "no such file",
            path,
            hint,
            code="data-not-found",
        )
    return file


def _parsed(template: str) -> tuple[tuple[str, str | None], ...]:
    """Split a template into (literal text, column or None) pieces."""
    # the spec's rules ensure that it can be split, and into columns alone
    return tuple((literal, field) for literal, field, _, _ in string.Formatter().parse(template))
