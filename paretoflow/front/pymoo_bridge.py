"""Runs pymoo on gains: the only place that negates them, since pymoo minimises.

Every function expects arrays that passed `checks`. Without an error, pymoo (and moocore below it)
lets a nan row evict the whole front, and turns an infinite row into an infinite hypervolume. pymoo
loads when first used.
"""

from __future__ import annotations

import numpy as np

from paretoflow.core.values import FloatArray, IntArray


def pymoo_hypervolume(gains: FloatArray, ref: FloatArray) -> float:
    """Return pymoo's hypervolume of gains, shape (n, m), against `ref`, shape (m,)."""
    from pymoo.indicators.hv import HV

    return float(HV(ref_point=-ref)(-gains))


def pymoo_ranks(gains: FloatArray) -> IntArray:
    """Return the rank of each row, shape (n,); 0 is non-dominated, duplicates share a rank."""
    from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

    _, ranks = NonDominatedSorting().do(-gains, return_rank=True)
    return np.asarray(ranks, dtype=np.int64)


def pymoo_front(gains: FloatArray) -> IntArray:
    """Return the ascending indices of the rows that no row dominates, copies included."""
    from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

    front = NonDominatedSorting().do(-gains, only_non_dominated_front=True)
    return np.asarray(front, dtype=np.int64)


def pymoo_igd_plus(gains: FloatArray, reference: FloatArray) -> float:
    """Return pymoo's IGD+ of gains, shape (n, m), against reference gains, shape (r, m)."""
    from pymoo.indicators.igd_plus import IGDPlus

    return float(IGDPlus(-reference)(-gains))
