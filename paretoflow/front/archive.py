"""Keeps a front up to date one row at a time, equal to `dominance.nondominated` on the same rows.

Adding a row compares it with the present front only. A long sweep therefore costs its number of
evaluations times the size of its front.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paretoflow.core.values import FloatArray, IntArray
from paretoflow.front.checks import gains_array, vector


class Archive:
    """The non-dominated rows seen so far, one for each distinct gain vector (the first).

    Args:
        m: Number of objectives.
    """

    def __init__(self, m: int) -> None:
        self._m = m
        self._size = 0
        # objectives along the first axis: comparing whole objectives is several times faster
        self._columns = np.empty((m, 16), dtype=np.float64)
        self._keys = np.empty(16, dtype=np.int64)

    def __len__(self) -> int:
        """Return the size of the front."""
        return self._size

    @property
    def indices(self) -> IntArray:
        """Return the keys of the front in the order in which they were added, shape (n,)."""
        return self._keys[: self._size].copy()

    @property
    def gains(self) -> FloatArray:
        """Return the gains of the front in the order of `indices`, shape (n, m)."""
        return np.ascontiguousarray(self._columns[:, : self._size].T)

    def add(self, gains_row: ArrayLike, key: int) -> bool:
        """Offer a row to the front.

        Args:
            gains_row: Oriented scores, shape (m,).
            key: Name of the row in `indices`, usually its number among all rows.

        Returns:
            True if the row entered; the rows that it dominates are removed. A row equal to one in
            the front does not enter.

        Raises:
            ShapeError: If the row does not have m entries.
            NonFiniteError: If the row holds nan or infinity.
        """
        row = vector(gains_row, self._m, "a row of gains")
        front = self._columns[:, : self._size]
        if np.logical_and.reduce(front >= row[:, None], axis=0).any():
            return False
        kept = ~np.logical_and.reduce(front <= row[:, None], axis=0)
        if not kept.all():
            self._keep(kept)
        self._append(row, key)
        return True

    def extend(self, gains: ArrayLike, first_key: int = 0) -> None:
        """Offer rows, shape (n, m), one after another, with keys counting up from `first_key`.

        Raises:
            ShapeError: If the rows do not have m columns.
            NonFiniteError: If a row holds nan or infinity; then no row is added.
        """
        for offset, row in enumerate(gains_array(gains, m=self._m)):
            self.add(row, first_key + offset)

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        size = int(kept.sum())
        self._columns[:, :size] = self._columns[:, : self._size][:, kept]
        self._keys[:size] = self._keys[: self._size][kept]
        self._size = size

    def _append(self, row: FloatArray, key: int) -> None:
        if self._size == self._keys.size:
            self._columns = np.concatenate([self._columns, np.empty_like(self._columns)], axis=1)
            self._keys = np.concatenate([self._keys, np.empty_like(self._keys)])
        self._columns[:, self._size] = row
        self._keys[self._size] = key
        self._size += 1
