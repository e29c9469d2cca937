"""The worst objective of the batch drives the update."""

from __future__ import annotations

import numpy as np

from paretoflow.core.launch import Launch
from paretoflow.core.values import FloatArray
from paretoflow.methods.online.aggregators.base import Aggregator, RewardBatch
from paretoflow.methods.training.context import MethodContext
from paretoflow.spec.methods.aggregators import MaxminSpec


def maxmin_shares(means: FloatArray, weights: FloatArray, tau: float | None) -> FloatArray:
    """Return each objective's share, on the simplex, shape (m,).

    Proportional to w_i exp(-tau mean_i), which minimises sum_i s_i mean_i + KL(s || w) / tau over
    the simplex: with equal weights this is the published smooth form, with tau near 0 the weights
    themselves, and for tau to infinity, or tau None, the worst objective alone.

    By hand: means (0, ln 3), weights (0.5, 0.5): tau = 1 gives 1 to 1/3, so (0.75, 0.25); no tau
    gives (1, 0).

    Args:
        means: Mean rewards of the batch, shape (m,).
        weights: Shape (m,); an objective without weight does not count.
        tau: None for the hard minimum; several worst objectives share by their weights.
    """
    taking_part = weights > 0
    below = means - means[taking_part].min()
    tilt = (below == 0.0).astype(np.float64) if tau is None else np.exp(-tau * np.maximum(below, 0))
    shares: FloatArray = np.where(taking_part, weights * tilt, 0.0)
    return shares / shares.sum()


class Maxmin(Aggregator):
    """Trains on the rewards under `maxmin_shares`.

    References:
        Chakraborty et al. 2024, arXiv 2402.08925 (MaxMin-RLHF), policy part. Departures: (1) the
        minimum is over objectives, each in standard deviations of the base's answers; (2) weights
        other than equal ones are our extension: with the hard minimum they only select the
        objectives, so all runs of a sweep with the same support seek one point.
    """

    def __init__(self, spec: MaxminSpec, context: MethodContext, launch: Launch) -> None:
        self._tau = spec.tau

    def advantages(self, batch: RewardBatch) -> FloatArray:
        """Return one advantage for each answer, shape (b, g)."""
        shares = maxmin_shares(batch.rewards.mean(axis=(0, 1)), batch.weights, self._tau)
        return batch.estimate(batch.rewards @ shares)
