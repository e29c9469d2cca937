"""An interior-point barrier on the returns of an episode, which keeps thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paretoflow.core.values import FloatArray, LaunchKind, Proposal


def log_barrier(slack: FloatArray, sharpness: float, edge: float) -> FloatArray:
    """Return log(slack) / sharpness, from `edge` on downwards its tangent.

    The tangent makes it finite where a threshold is missed, and ever better towards it. By hand,
    sharpness 2, edge 1: slack e is worth 1/2, slack 1 nothing, slack -1 is worth (-1 - 1) / 2 = -1.

    Args:
        slack: Of any shape.
        sharpness: What the logarithm is divided by: the larger, the nearer thresholds are gone to.
        edge: Slack at which the tangent begins, above 0.
    """
    inside = np.log(np.maximum(slack, edge))
    outside = (np.minimum(slack, edge) - edge) / edge
    return np.asarray((inside + outside) / sharpness)


@dataclass(frozen=True)
class Barrier:
    """The thresholds of a constrained launch, frozen.

    Args:
        thresholds: Normalised gains, shape (m,); -inf where there is none.

    References:
        Liu et al. (2024), arXiv 2410.02236, sec. 5.3 (IPO: Liu et al. 2020, arXiv 1910.09615).
        Departure: the barrier is on the returns of each episode instead of on their mean. A mean
        over episodes can be kept by a policy that mixes two, and its gradient is that of a weighted
        sum, which no concave part of a front answers.
    """

    thresholds: FloatArray
    sharpness: float
    edge: float

    def worth(self, returns: FloatArray) -> FloatArray:
        """Return what the returns of k episodes, normalised, (k, m), are worth, shape (k,)."""
        bounded = np.isfinite(self.thresholds)
        slack = returns[:, bounded] - self.thresholds[bounded]
        return np.asarray(log_barrier(slack, self.sharpness, self.edge).sum(axis=1))


def thresholds_of(proposal: Proposal, scale: FloatArray) -> FloatArray | None:
    """Return the thresholds of a launch in units of `scale`; None if it is not constrained.

    The target has no threshold. Gains here are raw scores: every objective is maximised.
    """
    if proposal.kind is not LaunchKind.CONSTRAINED or proposal.thresholds is None:
        return None
    bounds = np.array(proposal.thresholds) / scale
    if proposal.target is not None:
        bounds[proposal.target] = -np.inf
    return bounds
