"""Scores to bins, and preferences to the bins that they ask for; bin 0 is the lowest."""

from __future__ import annotations

import numpy as np

from paretoflow.core.values import FloatArray, IntArray

_DECIMALS = 9


def bins_of(scores: FloatArray, count: int) -> IntArray:
    """Return the quantile bin of each score within its column, shape (n, m).

    A score on an edge belongs to the bin above. By hand: 0 to 8 in 3 bins have the edges 8/3 and
    16/3 (linear interpolation), so 0 to 2 are in bin 0, 3 to 5 in bin 1 and 6 to 8 in bin 2.

    Args:
        scores: Shape (n, m), n at least 1.
        count: Number of bins.
    """
    scores = np.round(scores, _DECIMALS)
    edges = np.round(np.quantile(scores, np.arange(1, count) / count, axis=0), _DECIMALS)
    return np.asarray((scores[None] >= edges[:, None]).sum(axis=0), dtype=np.int64)


def bins_for(weights: FloatArray, count: int) -> tuple[int, ...]:
    """Return the bin of each objective that a preference asks for.

    The share min(m w, 1) of the range, as RiC's `linf` goals: the largest weight asks for the
    highest bin, and equal weights ask for it everywhere. By hand: 3 bins and w = (0.75, 0.25) have
    the shares (1, 0.5) and ask for bins 2 and 1.

    Args:
        weights: Shape (m,), summing to 1.
        count: Number of bins.
    """
    shares = np.round(np.minimum(len(weights) * weights, 1.0), _DECIMALS)
    return tuple(int(min(share * count, count - 1)) for share in shares)
