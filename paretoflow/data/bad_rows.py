"""Rows that cannot be used: the first one is an error, or all are skipped and counted."""

from __future__ import annotations

from dataclasses import dataclass, field

from paretoflow.core.data_facts import SHOWN
from paretoflow.core.errors import DataError

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
