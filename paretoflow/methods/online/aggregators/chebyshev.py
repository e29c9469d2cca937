"""The worst weighted distance to an ideal."""

from __future__ import annotations

import numpy as np

from paretoflow.core.launch import Launch
from paretoflow.core.values import FloatArray
from paretoflow.methods.online.aggregators.base import Aggregator, RewardBatch
from paretoflow.methods.training.context import MethodContext
from paretoflow.spec.methods.aggregators import ChebyshevSpec


def chebyshev(
    rewards: FloatArray, weights: FloatArray, ideal: FloatArray, augmentation: float
) -> FloatArray:
    """Return minus the augmented weighted Chebyshev distance to the ideal, shape (..., ).

    -max_i w_i (z_i - r_i) - a sum_i w_i (z_i - r_i), over the objectives with weight. A distance is
    negative beyond the ideal, so passing it still raises the value.

    By hand: rewards (1, 2), weights (0.25, 0.75), ideal (3, 3), a = 0.1: distances 0.5 and 0.75, so
    -0.75 - 0.125 = -0.875.

    Args:
        rewards: Shape (..., m).
        weights: Shape (m,).
        ideal: Shape (m,).
        augmentation: The share a of the sum.
    """
    taking_part = weights > 0
    distances = (weights * (ideal - rewards))[..., taking_part]
    utility: FloatArray = -distances.max(axis=-1) - augmentation * distances.sum(axis=-1)
    return utility


class Chebyshev(Aggregator):
    """Scalarises by the distance to the best of the base's own answers; see `chebyshev`.

    References:
        Steuer and Choo 1983, doi 10.1007/BF02591870 (augmented form). Departures: (1) applied to
        each answer and not to the expected returns; (2) the ideal is the best reward among the
        base's candidates, frozen for the sweep, objective by objective.
    """

    def __init__(self, spec: ChebyshevSpec, context: MethodContext, launch: Launch) -> None:
        self._augmentation = spec.augmentation
        self._ideal: FloatArray = np.max(context.candidates.standardised, axis=(0, 1))

    def advantages(self, batch: RewardBatch) -> FloatArray:
        """Return one advantage for each answer, shape (b, g)."""
        return batch.estimate(
            chebyshev(batch.rewards, batch.weights, self._ideal, self._augmentation)
        )
