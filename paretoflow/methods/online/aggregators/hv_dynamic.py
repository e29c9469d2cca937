"""Dynamic reward weighting by hypervolume: larger steps while the run improves the front.

The hypervolume is in plain numpy: `front.hypervolume` needs pymoo, which may be missing on workers.
Fronts here are small, and one improvement is computed every few steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paretoflow.core.launch import Launch
from paretoflow.core.values import FloatArray
from paretoflow.front.orient import ref_gains
from paretoflow.methods.online.aggregators.base import Aggregator, RewardBatch, weighted_margins
from paretoflow.methods.online.aggregators.linear import linear
from paretoflow.methods.online.aggregators.normalize_then_sum import (
    each_normalised,
    normalize_then_sum,
)
from paretoflow.methods.training.context import MethodContext
from paretoflow.spec.methods.aggregators import Combination, HvDynamicSpec


def improvement(point: FloatArray, gains: FloatArray) -> float:
    """Return the volume that a point adds to the region dominated by gains, beyond the origin.

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

    It sums slabs along the last objective, from its largest value down; each slab's base is the
    volume that the points above it dominate in the other objectives.
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


def meta_factor(improvement: float) -> float:
    """Return 0.5 + 1.5 tanh(improvement), from 0.5 up to below 2.

    By hand: no improvement gives 0.5; atanh(1/3) = 0.3466 gives 1.

    Args:
        improvement: Hypervolume that the run would add to the front, at least 0.
    """
    return 0.5 + 1.5 * math.tanh(improvement)


def combined(batch: RewardBatch, combination: Combination) -> FloatArray:
    """Return the advantages of one of the plain weighted sums, shape (b, g)."""
    if combination == "linear":
        return linear(batch)
    return normalize_then_sum(batch.rewards, batch.weights)


class HvDynamic(Aggregator):
    """Multiplies the advantages of a plain weighted sum by the `meta_factor` of the last look.

    A look computes the hypervolume that the validation gains would add to the base's mean and to
    the run's kept points; a point that adds some is kept. Gains are measured from the sweep's
    reference point, in units of its normalisation. An improvement depends on scale and on the
    interval of looks, so it is divided by the mean improvement of the run: an average look gives
    1.64, one without improvement 0.5. Until the first look the factor is 1. With `measure: sweep`
    points are compared with the sweep's front at launch, in units of the box.

    The kept points and the mean are state: a resumed run continues as if it had not been
    interrupted.

    References:
        Lu et al. 2025, arXiv 2509.11452 (dynamic reward weighting), hypervolume-guided. Departures:
        (1) the factor multiplies advantages: multiplying rewards, as published, cancels where
        advantages are divided by the group's spread (`scales: rewards` does it, for comparison).
        (2) In means of the run's improvements: in units of the box, or of a score, tanh saturates
        at one end. (3) The reference point is the sweep's, where the paper takes the untrained
        model, below which any run that gives up one objective for another falls; without one, it is
        the base's mean over the shared candidates.
        (4) There is a look every few steps, not after each.
    """

    def __init__(self, spec: HvDynamicSpec, context: MethodContext, launch: Launch) -> None:
        self._spec = spec
        self._normalises = spec.combine == "normalize_then_sum"
        problem = context.problem
        self._ref = context.candidates.mean if problem is None else ref_gains(problem)
        self._scale = context.scale
        self._gains: FloatArray = self._normalised(self._held_against(context, launch))
        self._meta = 1.0
        self._added: list[float] = []

    def advantages(self, batch: RewardBatch) -> FloatArray:
        """Return one advantage for each answer, shape (b, g)."""
        if self._spec.scales == "rewards":
            pushed = replace(batch, rewards=batch.rewards * self._meta)
            return combined(pushed, self._spec.combine)
        return combined(batch, self._spec.combine) * self._meta

    def margins(self, batch: RewardBatch) -> FloatArray | None:
        """Return each objective's contribution to the differences within groups, shape (m,)."""
        added = each_normalised(batch.rewards) if self._normalises else batch.rewards
        return weighted_margins(batch.weights, added)

    def metrics(self) -> Mapping[str, float]:
        """Return the current factor."""
        return {"hypervolume_factor": self._meta}

    def due(self, step: int) -> bool:
        """Return whether to look now, after `step` steps."""
        return step > 0 and step % self._spec.every == 0

    def look(self, gains: FloatArray) -> None:
        """Process the mean oriented gains on the validation prompts, shape (m,)."""
        point = self._normalised(gains)
        added = improvement(point, self._gains)
        if added > 0:
            self._gains = np.vstack([self._gains, point])
            self._added.append(added)
        unit = float(np.mean(self._added)) if self._added else 1.0
        self._meta = meta_factor(added if self._spec.measure == "sweep" else added / unit)

    def state(self) -> dict[str, Any]:
        """Return the points that improvement is measured against, and the current factor."""
        return {"gains": self._gains.tolist(), "meta": self._meta, "added": self._added}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a value of `state`."""
        self._gains = np.array(state["gains"], dtype=np.float64).reshape(-1, len(self._ref))
        self._meta = float(state["meta"])
        self._added = [float(added) for added in state.get("added", ())]

    def _held_against(self, context: MethodContext, launch: Launch) -> FloatArray:
        """Return the gains that the first look is compared with, shape (k, m)."""
        if self._spec.measure == "run":
            return context.candidates.mean[None]
        return np.empty((0, len(self._ref))) if launch.front is None else launch.front

    def _normalised(self, gains: FloatArray) -> FloatArray:
        normalised: FloatArray = (gains - self._ref) / self._scale
        return normalised
