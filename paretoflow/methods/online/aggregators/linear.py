"""The weighted sum."""

from __future__ import annotations

from paretoflow.core.launch import Launch
from paretoflow.core.values import FloatArray
from paretoflow.methods.online.aggregators.base import Aggregator, RewardBatch, weighted_margins
from paretoflow.methods.training.context import MethodContext
from paretoflow.spec.methods.aggregators import LinearSpec


def linear(batch: RewardBatch) -> FloatArray:
    """Return the advantages of the weighted sum of rewards, shape (b, g).

    By hand: rewards (1, 0) and (0, 3) under weights (0.5, 0.5) sum to 0.5 and 1.5; leaving one out,
    the advantages are -1 and 1.
    """
    return batch.estimate(batch.rewards @ batch.weights)


class Linear(Aggregator):
    """Weights the rewards, then compares the sums within the group; see `linear`.

    References:
        TRL's `sum_then_normalize` where the trainer is GRPO.
    """

    def __init__(self, spec: LinearSpec, context: MethodContext, launch: Launch) -> None:
        pass

    def advantages(self, batch: RewardBatch) -> FloatArray:
        """Return one advantage for each answer, shape (b, g)."""
        return linear(batch)

    def margins(self, batch: RewardBatch) -> FloatArray | None:
        """Return each objective's contribution to the differences within groups, shape (m,)."""
        return weighted_margins(batch.weights, batch.rewards)
