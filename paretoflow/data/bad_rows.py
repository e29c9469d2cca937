"""Rows that cannot be used: the first one is an error, or all are skipped and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from paretoflow.core.data_facts import SHOWN
from paretoflow.core.errors import DataError

Row = tuple[str, Mapping[str, Any] | DataError]
"""A row: its place, for messages, and its columns or the error of reading it."""

_T = TypeVar("_T")
_DROP, _SKIP = "drop the row", "`data.on_bad_row: skip` leaves such rows out"


@dataclass
class BadRows:
    """The bad rows of one source so far.

    Args:
        skip: Whether bad rows are skipped; otherwise the first is an error.
        count: Number of bad rows.
        first: The first bad rows, each with file, line and cause.
    """

    skip: bool = False
    count: int = 0
    first: list[str] = field(default_factory=list)

    def take(self, error: DataError) -> None:
        """Count a bad row.

        Raises:
            DataError: The row's own, unless bad rows are skipped.
        """
        if not self.skip:
            hint = error.hint + (f"; {_SKIP}" if _DROP in error.hint else "")
            raise DataError(error.what, error.where, hint, code=error.code) from error
        self.count += 1
        if len(self.first) < SHOWN:
            where = error.where.rpartition("/")[2]  # it is stored and shown: folders are private
            self.first.append(f"{where}: {error.what}" if where else error.what)

    def good(
        self, rows: Iterable[Row], read: Callable[[str, Mapping[str, Any]], _T]
    ) -> Iterator[_T]:
        """Yield what the usable rows hold, and take the others.

        Args:
            rows: The rows.
            read: Reads a row at a place; raises DataError where it cannot be used.

        Raises:
            DataError: As `take`.
        """
        for where, row in rows:
            try:
                if isinstance(row, DataError):
                    raise row
                found = read(where, row)
            except DataError as error:
                self.take(error)
            else:
                yield found

    def require_few(self, good: int, source: str) -> None:
        """Refuse a source with more bad rows than good ones: the columns are probably wrong.

        Raises:
            DataError: With the first bad rows.
        """
        if self.count > good:
            told = "; ".join(self.first[:3])
            what = f"{self.count} of {self.count + good} rows cannot be used: {told}"
            hint = "repair the file, or correct data.columns; skip is for a few bad rows"
            raise DataError(what, source, hint, code="data-bad-rows")
