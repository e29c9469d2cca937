"""Points that the tests of the front share: small, finite, with ties as evaluation makes."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from paretoflow.core.values import Direction, FloatArray, ObjectiveInfo, Problem


@st.composite
def tied_gains(draw: st.DrawFn, *, least: int = 0, most: int = 12) -> FloatArray:
    """Draw gains, shape (n, m) with m from 1 to 4, on six values so that ties are common."""
    m = draw(st.integers(1, 4))
    n = draw(st.integers(least, most))
    return draw(hnp.arrays(np.float64, (n, m), elements=st.integers(0, 5).map(float)))


def sphere(n: int, m: int, seed: int = 0) -> FloatArray:
    """Return mutually non-dominated gains on the positive part of the unit sphere."""
    points = np.abs(np.random.default_rng(seed).normal(size=(n, m)))
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True))


def problem_of(*directions: Direction) -> Problem:
    """Return a problem whose i-th objective ranges over (i, 10 + i) with i + .5 as reference."""
    return Problem(
        tuple(
            ObjectiveInfo(f"o{i}", direction, "points", float(i), 10.0 + i, i + 0.5)
            for i, direction in enumerate(directions)
        )
    )
