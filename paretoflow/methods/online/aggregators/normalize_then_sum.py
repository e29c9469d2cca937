"""Each reward normalised within its group, then the weighted sum."""

from __future__ import annotations

from paretoflow.core.launch import Launch
from paretoflow.core.values import FloatArray
from paretoflow.methods.online.aggregators.base import (
    EPSILON,
    Aggregator,
    RewardBatch,
    group_normalised,
    weighted_margins,
)
from paretoflow.methods.training.context import MethodContext
from paretoflow.spec.methods.aggregators import NormalizeThenSumSpec


def normalize_then_sum(rewards: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the whitened weighted sum of the group-normalised rewards, shape (b, g).

    By hand: one group with rewards (0, 5) and (2, 1) under weights (0.75, 0.25): normalised (-1, 1)
    and (1, -1), each over sqrt(2); summed -0.3536 and 0.3536; whitened about -0.7071 and 0.7071,
    slightly smaller in size.

    Args:
        rewards: Shape (b, g, m).
        weights: Shape (m,).

    References:
        Liu et al. 2026, arXiv 2601.05242 (GDPO), as in TRL. Without the whitening it is Ichihara et
        al. 2025 (MO-GRPO).
    """
    summed = each_normalised(rewards) @ weights
    whitened: FloatArray = (summed - summed.mean()) / (summed.std(ddof=1) + EPSILON)
    return whitened


def each_normalised(rewards: FloatArray) -> FloatArray:
    """Return each reward normalised within its group, of their shape, (b, g, m)."""
    batches, group, m = rewards.shape
    columns = group_normalised(rewards.swapaxes(1, 2).reshape(batches * m, group))
    return columns.reshape(batches, m, group).swapaxes(1, 2)


class NormalizeThenSum(Aggregator):
    """Gives all objectives equal spread before weighting; see `normalize_then_sum`.

    The same under RLOO: its values are already compared within the group.
    """

    def __init__(self, spec: NormalizeThenSumSpec, context: MethodContext, launch: Launch) -> None:
        pass

    def advantages(self, batch: RewardBatch) -> FloatArray:
        """Return one advantage for each answer, shape (b, g)."""
        return normalize_then_sum(batch.rewards, batch.weights)

    def margins(self, batch: RewardBatch) -> FloatArray | None:
        """Return each objective's contribution to the differences within groups, shape (m,)."""
        return weighted_margins(batch.weights, each_normalised(batch.rewards))
