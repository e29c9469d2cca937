"""Dynamic reward weighting by gradients: weights follow each objective's effect on the sum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from paretoflow.core.launch import Launch
from paretoflow.core.values import FloatArray
from paretoflow.methods.online.aggregators.base import Aggregator, RewardBatch
from paretoflow.methods.online.aggregators.hv_dynamic import combined
from paretoflow.methods.training.context import MethodContext
from paretoflow.spec.methods.aggregators import GradDynamicSpec


def influences(gram: FloatArray, clip: float) -> FloatArray:
    """Return I_j = <g_j, sum_k g_k> of gradients clipped to a norm, shape (m,).

    This is the effect of a small step along g_j on the sum of all objectives.

    By hand: g_1 = (3, 0), g_2 = (-1, 1), no clipping: <g_1, (2, 1)> = 6 and <g_2, (2, 1)> = -1.

    Args:
        gram: Inner products of the gradients, shape (m, m).
        clip: Largest norm; longer gradients are shortened to it.
    """
    norms = np.sqrt(np.diag(gram))
    factors = np.minimum(1.0, clip / np.maximum(norms, np.finfo(np.float64).tiny))
    clipped = gram * np.outer(factors, factors)
    influence: FloatArray = clipped.sum(axis=1)
    return influence


def tilted(weights: FloatArray, tilt: FloatArray) -> FloatArray:
    """Return softmax(log w + tilt), shape (m,); an objective without weight stays without.

    By hand: weights (0.5, 0.5) and tilt (ln 3, 0) give (0.75, 0.25).
    """
    # subtract the largest value with weight, so that none overflows
    raised: FloatArray = weights * np.exp(np.minimum(tilt - tilt[weights > 0].max(), 0.0))
    return raised / raised.sum()


class GradDynamic(Aggregator):
    """A plain weighted sum under weights that move by `influences`: w <- softmax(log w + rate I).

    State is the sum of all moves, so a dual controller may move the weights beneath it.

    References:
        Lu et al. 2025, arXiv 2509.11452 (dynamic reward weighting), gradient-based. Departures: (1)
        weights move after the step whose gradients they come from, not before it: micro-batches are
        then all trained under one vector. (2) `rate` is the published ratio of learning rate to
        mu, 1e-6 / 1e-5, kept fixed: adapters train at rates that would make the weights one-hot in
        a step. (3) Gradients are those of all adapter parameters, where the release picks layers.
        (4) Weights start at the launch's, not equal.
    """

    learns: ClassVar[bool] = True

    def __init__(self, spec: GradDynamicSpec, context: MethodContext, launch: Launch) -> None:
        self._spec = spec
        self._names = context.objective_names
        m = len(self._names)
        self._tilt: FloatArray = np.zeros(m)
        self._gathered: FloatArray = np.zeros(m)
        self._steps = 0
        self._weights: FloatArray = np.zeros(m)

    def advantages(self, batch: RewardBatch) -> FloatArray:
        """Return one advantage for each answer, shape (b, g)."""
        self._weights = tilted(batch.weights, self._tilt)
        return combined(replace(batch, weights=self._weights), self._spec.combine)

    def metrics(self) -> Mapping[str, float]:
        """Return the weights of the last batch."""
        return {
            f"weight/{name}": float(weight)
            for name, weight in zip(self._names, self._weights, strict=True)
        }

    def learn(self, gram: FloatArray) -> None:
        """Process the inner products of the objectives' gradients of a step, shape (m, m)."""
        self._gathered = self._gathered + influences(gram, self._spec.clip)
        self._steps += 1
        if self._steps == self._spec.every:
            self._tilt = self._tilt + self._spec.rate * self._gathered / self._steps
            self._gathered, self._steps = np.zeros_like(self._tilt), 0

    def state(self) -> dict[str, Any]:
        """Return the moves of the weights so far, and the values gathered for the next move."""
        return {
            "tilt": self._tilt.tolist(),
            "gathered": self._gathered.tolist(),
            "steps": self._steps,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a value of `state`."""
        self._tilt = np.array(state["tilt"], dtype=np.float64)
        self._gathered = np.array(state["gathered"], dtype=np.float64)
        self._steps = int(state["steps"])
