"""PAMA read literally: one number for all tokens of all answers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from paretoflow.core.protocols import TrainRequest
from paretoflow.core.values import FloatArray
from paretoflow.methods.online.aggregators.base import Aggregator, RewardBatch
from paretoflow.methods.online.aggregators.pama import min_norm_coefficients, objective_levels
from paretoflow.methods.training.context import MethodContext
from paretoflow.spec.methods.aggregators import PamaScalarSpec


class PamaScalar(Aggregator):
    """Gives every answer the advantage s* = c*.a, the projection of 0 on [min a, max a].

    Here for comparison with `pama`: no answer is told from another, so a step only makes the
    batch's own answers more likely (or, without Noon, less).

    By hand: advantage means of (2, 1, 4) over the tokens give every answer 1.

    References:
        As `pama`, in the reading of third-party code; departures 2 and 3 of `pama` hold here too.
    """

    def __init__(self, spec: PamaScalarSpec, context: MethodContext, request: TrainRequest) -> None:
        self._noon = spec.noon
        self._step = 0.0

    def advantages(self, batch: RewardBatch) -> FloatArray:
        """Return one advantage for each answer, shape (b, g), all equal."""
        _, means = objective_levels(batch, batch.weights > 0, noon=self._noon)
        self._step = float(min_norm_coefficients(means) @ means)
        return np.full(batch.lengths.shape, self._step)

    def metrics(self) -> Mapping[str, float]:
        """Return the advantage of the last batch."""
        return {"pama_step": self._step}
