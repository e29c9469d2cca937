"""Hypervolume of a front: the volume that it dominates beyond a reference point.

Nothing here scales: the objective with the largest units weighs most unless the caller passes
normalised gains and reference. Values are comparable only against the same reference point. pymoo
computes the volume. Contributions and improvements use the limit-set trick on top of it, which
stays fast where differences of whole volumes do not (four objectives and more).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from paretoflow.core.values import FloatArray
from paretoflow.front.checks import gains_array, ref_and_gains
from paretoflow.front.dominance import nondominated
from paretoflow.front.pymoo_bridge import pymoo_hypervolume


def hypervolume(gains: ArrayLike, ref: ArrayLike) -> float:
    """Return the volume that gains dominate beyond a reference point.

    By hand: (2, 1) and (1, 2) against (0, 0) cover rectangles of area 2 that share 1: 3.

    Args:
        gains: Oriented scores, shape (n, m); dominated and repeated rows change nothing.
        ref: Oriented reference point, shape (m,). A point that does not exceed it in every
            objective adds nothing; `count_beyond_ref` counts the points that do.

    Returns:
        Hypervolume in the product of the objectives' units; 0.0 when n = 0.

    Raises:
        ShapeError: If `ref` does not have one entry for each objective.
        NonFiniteError: If `gains` or `ref` holds nan or infinity.

    References:
        Zitzler and Thiele (1998), Multiobjective optimization using evolutionary
        algorithms, sec. 3.
    """
    array, point = ref_and_gains(gains, ref)
    return _volume(array, point)


def count_beyond_ref(gains: ArrayLike, ref: ArrayLike) -> int:
    """Return how many rows exceed the reference point everywhere; only they add hypervolume.

    Raises:
        ShapeError: If `ref` does not have one entry for each objective.
        NonFiniteError: If `gains` or `ref` holds nan or infinity.
    """
    array, point = ref_and_gains(gains, ref)
    return int((array > point).all(axis=1).sum())


def contributions(gains: ArrayLike, ref: ArrayLike) -> FloatArray:
    """Return the volume that each point alone dominates.

    A dominated row and every copy of a duplicated one contribute 0. Dominated rows are removed
    first, so that they do not reduce the contribution of their dominator.

    By hand: (2, 1) and (1, 2) against (0, 0) contribute 1 each; with (1, 2) twice, 1, 0 and 0.

    Args:
        gains: Oriented scores, shape (n, m).
        ref: Oriented reference point, shape (m,).

    Returns:
        Contributions, shape (n,), in the product of the objectives' units.

    Raises:
        ShapeError: If `ref` does not have one entry for each objective.
        NonFiniteError: If `gains` or `ref` holds nan or infinity.

    References:
        While, Bradstreet and Barone (2012), A fast way of calculating exact hypervolumes, sec. III:
        exclusive volume is inclusive volume less that of the limit set.
    """
    array, point = ref_and_gains(gains, ref)
    shares = np.zeros(len(array), dtype=np.float64)
    front = np.flatnonzero(nondominated(array))
    for index in front:
        copies = (array == array[index]).all(axis=1).sum()
        if copies == 1:
            shares[index] = _gain_of(array[index], array[front[front != index]], point)
    return shares


def improvement(candidates: ArrayLike, gains: ArrayLike, ref: ArrayLike) -> FloatArray:
    """Return how much each candidate alone would add to the hypervolume of gains.

    By hand: (2, 2) adds 1 to the 3 of {(2, 1), (1, 2)} against (0, 0); (1, 1) adds 0.

    Args:
        candidates: Oriented scores of the candidates, each judged alone, shape (k, m).
        gains: Oriented scores so far, shape (n, m).
        ref: Oriented reference point, shape (m,).

    Returns:
        Improvements, shape (k,), never negative; 0 for a candidate that is dominated, repeated or
        not beyond `ref`.

    Raises:
        ShapeError: If the three do not have the same number of objectives.
        NonFiniteError: If any of them holds nan or infinity.
    """
    array, point = ref_and_gains(gains, ref)
    offered = gains_array(candidates, m=point.size, name="candidates")
    front = array[nondominated(array)]
    return np.array([_gain_of(row, front, point) for row in offered], dtype=np.float64)


def _gain_of(row: FloatArray, others: FloatArray, ref: FloatArray) -> float:
    """Return the volume of a point's box less the part that others, clipped to it, cover."""
    if not (row > ref).all() or (others >= row).all(axis=1).any():
        return 0.0
    box = float(np.prod(row - ref))
    # rounding may leave a box slightly smaller than the volume that covers it
    return max(0.0, box - _volume(np.minimum(others, row), ref))


def _volume(gains: FloatArray, ref: FloatArray) -> float:
    beyond = gains[(gains > ref).all(axis=1)]
    return pymoo_hypervolume(beyond, ref) if len(beyond) else 0.0
