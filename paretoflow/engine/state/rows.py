"""Rows of numbers that grow by one evaluation at a time, and rarely change."""

from __future__ import annotations

import numpy as np

from paretoflow.core.values import FloatArray


class GrowingRows:
    """A float matrix that rows are appended to in constant amortised time."""

    def __init__(self, width: int) -> None:
        self._rows = np.empty((64, width))
        self._count = 0

    def append(self, row: FloatArray) -> None:
        """Add a row of shape (width,)."""
        if self._count == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        self._rows[self._count] = row
        self._count += 1

    def replace(self, index: int, row: FloatArray) -> None:
        """Change a row to one of shape (width,); arrays handed out before stay as they are."""
        self._rows = self._rows.copy()
        self._rows[index] = row

    @property
    def array(self) -> FloatArray:
        """Return a read-only view of the rows, shape (n, width)."""
        view = self._rows[: self._count]
        view.flags.writeable = False
        return view
