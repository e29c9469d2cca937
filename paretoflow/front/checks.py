"""Checks of the arrays that the geometry accepts: finite gains, (n, m), and vectors that fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from paretoflow.core.errors import NonFiniteError, ShapeError
from paretoflow.core.values import FloatArray

ROWS_NAMED = 8


def gains_array(gains: ArrayLike, *, m: int | None = None, name: str = "gains") -> FloatArray:
    """Return gains as a finite float64 array, shape (n, m).

    Args:
        gains: Oriented scores, shape (n, m); an array without elements counts as n = 0.
        m: Required number of columns; None allows any.
        name: Name of the array in an error.

    Raises:
        ShapeError: If it is not a matrix, or does not have `m` columns.
        NonFiniteError: If a row holds nan or infinity; names the rows.
    """
    array = np.asarray(gains, dtype=np.float64)
    if array.size == 0:
        columns = array.shape[1] if array.ndim == 2 else 0
        return np.empty((0, columns if m is None else m), dtype=np.float64)
    if array.ndim != 2:
        raise ShapeError(f"{name} must have shape (n, m), got {array.shape}")
    if m is not None and array.shape[1] != m:
        raise ShapeError(f"{name} must have {m} columns, got shape {array.shape}")
    finite = np.isfinite(array)
    if not finite.all():
        rows = np.flatnonzero(~finite.all(axis=1))
        named = ", ".join(str(row) for row in rows[:ROWS_NAMED])
        more = f" and {len(rows) - ROWS_NAMED} more" if len(rows) > ROWS_NAMED else ""
        raise NonFiniteError(
            f"{name} must be finite, got nan or infinity in rows {named}{more}",
            hint="leave failed evaluations out before asking for the front",
        )
    return array


def vector(values: ArrayLike, m: int, name: str) -> FloatArray:
    """Return a finite float64 vector, shape (m,).

    Raises:
        ShapeError: If it has another shape.
        NonFiniteError: If it holds nan or infinity.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (m,):
        raise ShapeError(f"{name} must have shape ({m},), got {array.shape}")
    if not np.isfinite(array).all():
        raise NonFiniteError(f"{name} must be finite, got {array.tolist()}")
    return array


def ref_and_gains(gains: ArrayLike, ref: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return gains, shape (n, m), and the reference point, shape (m,), which sets m if n = 0.

    Raises:
        ShapeError: If they do not fit each other.
        NonFiniteError: If either holds nan or infinity.
    """
    checked = gains_array(gains)
    m = checked.shape[1] or max(1, np.size(ref))
    return checked.reshape(-1, m), vector(ref, m, "the reference point")
