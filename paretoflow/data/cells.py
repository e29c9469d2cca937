"""Read the value of a row's column as text, or build the error."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from paretoflow.core.errors import DataError
from paretoflow.data.missing import is_missing


def value_in(row: Mapping[str, Any], column: str, where: str) -> Any:
    """Return a column's value.

    Raises:
        DataError: If the row has no such column.
    """
    if column not in row:
        raise no_column(row, column, where)
    return row[column]


def no_column(row: Mapping[str, Any], column: str, where: str) -> DataError:
    """Return the error for a missing column, naming the nearest that the row has."""
    near = difflib.get_close_matches(column, list(row), n=1)
    hint = f"did you mean {near[0]!r}?" if near else "see data.columns and data.template"
    what = f"no column {column!r}; there are {', '.join(map(repr, row)) or 'none'}"
    return DataError(what, where, hint, code="data-column")


def as_text(value: Any, column: str, where: str) -> str:
    """Return a column's value as text: numbers are written out, missing values are empty.

    Raises:
        DataError: If it is neither.
    """
    if isinstance(value, str):
        return value
    if is_missing(value):
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise not_text(value, column, where)


def not_text(value: Any, column: str, where: str) -> DataError:
    """Return the error for a column that does not hold text."""
    hint = "name another column, or write the values as text"
    if isinstance(value, list | tuple):
        first = value[0] if value else None
        turns = isinstance(first, Mapping) and bool({"role", "from"} & set(first))
        if turns:
            hint = "chat turns belong in data.columns.messages"
    return DataError(
        f"column {column!r} must hold text, got {repr(value)[:80]}", where, hint, code="data-value"
    )


def refuse_half_characters(texts: Iterable[str], where: str) -> None:
    """Refuse texts that cannot be encoded as UTF-8.

    Raises:
        DataError: With the place in the text.
    """
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:  # JSON can say "\\ud83d" alone; no tokenizer takes it
            what = f"text that is no valid Unicode: half a character at position {error.start}"
            raise DataError(
                what, where, "write the row's file again from its source", code="data-value"
            ) from error
