"""A task whose answer is known: a trade that no weighted sum can follow, to be fast or to be kind.

A trial that trains towards weights ends at one of the two ends. One that keeps a threshold finds
the best point above it, which may be anywhere between.
"""

from __future__ import annotations

import numpy as np

from paretoflow.integrations.asking import objective

ANGLES = np.linspace(0.0, np.pi / 2, 181)
KIND = 1.0 - np.cos(ANGLES)
SECONDS = 10.0 * np.sin(ANGLES)
OBJECTIVES = [
    objective("kind", 0.0, 1.0),
    objective("seconds", 0.0, 10.0, direction="minimize"),
]


def trained(launch: dict) -> tuple[float, float]:
    """Return what training comes to for a launch: how kind it is, and how many seconds it takes."""
    gains = np.stack([KIND, 1.0 - SECONDS / 10.0], axis=1)
    if launch["thresholds"] is None:
        best = int((gains @ np.array(launch["weights"])).argmax())
    elif launch["target"] == "kind":
        fast_enough = launch["thresholds"]["seconds"] >= SECONDS
        best = int(np.where(fast_enough, KIND, -np.inf).argmax())
    else:
        kind_enough = launch["thresholds"]["kind"] <= KIND
        best = int(np.where(kind_enough, -SECONDS, -np.inf).argmax())
    return float(KIND[best]), float(SECONDS[best])
