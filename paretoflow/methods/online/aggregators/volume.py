"""Hypervolume improvement in plain numpy.

`front.hypervolume` rests on pymoo, which methods do without: a worker trains where it is not
installed. Fronts here are small, and one improvement is asked for every few steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paretoflow.core.values import FloatArray


def improvement(point: FloatArray, gains: FloatArray) -> float:
    """Return how much a point adds to the volume that gains dominate beyond the origin.

    By hand: (2, 2) adds 1 to the 3 of {(2, 1), (1, 2)}; (1, 1) adds 0.

    Args:
        point: Shape (m,).
        gains: Shape (n, m), n may be 0.
    """
    if not (point > 0).all():
        return 0.0
    covered = _volume(np.minimum(gains, point))
    return max(0.0, float(np.prod(point)) - covered)


def _volume(gains: FloatArray) -> float:
    """Return the volume that gains, shape (n, m), dominate beyond the origin.

    By slabs along the last objective, from its largest value down; each slab's base is the volume
    that the points above it dominate in the other objectives.
    """
    gains = np.unique(gains[(gains > 0).all(axis=1)], axis=0)
    if len(gains) == 0:
        return 0.0
    if gains.shape[1] == 1:
        return float(gains.max())
    gains = gains[_undominated(gains)]
    gains = gains[np.argsort(-gains[:, -1], kind="stable")]
    heights = gains[:, -1] - np.append(gains[1:, -1], 0.0)
    bases = (_volume(gains[: i + 1, :-1]) if h > 0 else 0.0 for i, h in enumerate(heights))
    return float(sum(h * base for h, base in zip(heights, bases, strict=True)))


def _undominated(gains: FloatArray) -> NDArray[np.bool_]:
    """Return True for the rows, all distinct, that no other row dominates, shape (n,)."""
    covers = (gains[None, :, :] >= gains[:, None, :]).all(axis=2)
    undominated: NDArray[np.bool_] = covers.sum(axis=1) == 1
    return undominated
