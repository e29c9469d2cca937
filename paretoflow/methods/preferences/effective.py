"""How much each objective really had to say in what a run learned from.

Weights are asked for; what acts is a weight times how far the answers that are compared differ in
the objective. Where units are those of `core.candidates.Standard` `prompt`, both agree over all
pairs; over the pairs that a method picks, they agree nearly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from paretoflow.core.values import FloatArray

MARGIN = "margin/"
"""Before an objective's name in a training log: what it added to the margins of a step."""
EFFECTIVE = "effective_weight/"
"""Likewise: its share in the margins of all steps so far."""


def shares(margins: FloatArray, weights: FloatArray) -> FloatArray | None:
    """Return each objective's share in the weighted margins, on the simplex; None for no margin.

    By hand, w = (0.5, 0.5): two pairs that differ by (2, -1) and (4, 1) have mean sizes (3, 1), so
    that the weights act as (0.75, 0.25).

    Args:
        margins: Differences of answers that are compared, in the units that weights act in, shape
            (n, m).
        weights: Those of all pairs, shape (m,), or of each, shape (n, m).
    """
    if len(margins) == 0:
        return None
    return normalised((weights * np.abs(margins)).mean(axis=0))


def normalised(amounts: FloatArray) -> FloatArray | None:
    """Return amounts, shape (m,), none negative, over their sum; None where all are 0."""
    total = float(amounts.sum())
    return amounts / total if total > 0 else None


def so_far(
    log: Sequence[Mapping[str, Any]], latest: Mapping[str, float], names: Sequence[str]
) -> dict[str, float]:
    """Return `effective_weight/NAME` of each objective over all steps, the latest included.

    Args:
        log: The trainer's, which a saved state holds, so that a resumed run tells the same.
        latest: `margin/NAME` of the step that is not in it yet.
        names: Of the objectives.
    """
    keys = [MARGIN + name for name in names]
    steps = [*(entry for entry in log if keys[0] in entry), latest]
    told = normalised(np.array([sum(float(step[key]) for step in steps) for key in keys]))
    if told is None:
        return {}
    return {EFFECTIVE + name: float(share) for name, share in zip(names, told, strict=True)}
