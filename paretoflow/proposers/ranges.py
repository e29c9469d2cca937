"""Gains of a history in shares of the frozen ranges: 0 is an objective's nadir, 1 its ideal."""

from __future__ import annotations

import numpy as np

from paretoflow.core.values import FloatArray, History


def scale_of(history: History) -> FloatArray:
    """Return the length of each objective's frozen range, shape (m,); 1 where it is empty."""
    scale = history.ideal - history.nadir
    return np.asarray(np.where(scale > 0, scale, 1.0), dtype=np.float64)


def normalised(history: History) -> FloatArray:
    """Return the gains, shape (n, m). By hand: gain 6 on a range from 4 to 8 is .5."""
    return np.asarray((history.gains - history.nadir) / scale_of(history), dtype=np.float64)


def normalised_errors(history: History) -> FloatArray:
    """Return the standard errors of the gains, shape (n, m)."""
    return np.asarray(history.stderr / scale_of(history), dtype=np.float64)


def normalised_ref(history: History) -> FloatArray:
    """Return the reference point, shape (m,)."""
    return np.asarray((history.ref - history.nadir) / scale_of(history), dtype=np.float64)
