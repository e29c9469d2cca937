"""Effective weights: each objective's actual share in a run's training signal.

The effect of an objective is its weight times the difference of the compared answers in it. In the
units of `core.candidates.Standard` `prompt`, requested and effective weights agree over all pairs;
over the pairs that a method picks, they nearly agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from paretoflow.core.values import FloatArray

MARGIN = "margin/"
"""Prefix of an objective's name in a training log: its part of the margins of a step."""
EFFECTIVE = "effective_weight/"
"""Prefix of an objective's name in a training log: its share in the margins of all steps so far."""


def shares(margins: FloatArray, weights: FloatArray) -> FloatArray | None:
    """Return each objective's share in the weighted margins, on the simplex; None for no margin.

    By hand, w = (0.5, 0.5): two pairs that differ by (2, -1) and (4, 1) have mean sizes (3, 1), so
    the effective weights are (0.75, 0.25).

    Args:
        margins: Differences of answers that are compared, in the units that weights act in, shape
            (n, m).
        weights: Weights of all pairs, shape (m,), or of each pair, shape (n, m).
    """
    if len(margins) == 0:
        return None
    return normalised((weights * np.abs(margins)).mean(axis=0))


def normalised(amounts: FloatArray) -> FloatArray | None:
    """Return non-negative amounts, shape (m,), over their sum; None where all are 0."""
    total = float(amounts.sum())
    return amounts / total if total > 0 else None


def so_far(
    log: Sequence[Mapping[str, Any]], latest: Mapping[str, float], names: Sequence[str]
) -> dict[str, float]:
    """Return `effective_weight/NAME` of each objective over all steps, the latest included.

    Args:
        log: The trainer's log; saved states hold it, so a resumed run returns the same values.
        latest: `margin/NAME` of the step that is not yet in the log.
        names: Names of the objectives.
    """
    keys = [MARGIN + name for name in names]
    steps = [*(entry for entry in log if keys[0] in entry), latest]
    told = normalised(np.array([sum(float(step[key]) for step in steps) for key in keys]))
    if told is None:
        return {}
    return {EFFECTIVE + name: float(share) for name, share in zip(names, told, strict=True)}
