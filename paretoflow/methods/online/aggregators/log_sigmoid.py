"""Rewards centred on a reference of their prompt, in the logarithm of a sigmoid."""

from __future__ import annotations

import numpy as np

from paretoflow.core.launch import Launch
from paretoflow.core.values import FloatArray
from paretoflow.methods.online.aggregators.base import Aggregator, RewardBatch
from paretoflow.methods.training.context import MethodContext
from paretoflow.spec.methods.aggregators import LogSigmoidSpec


def log_sigmoid_centred(rewards: FloatArray, references: FloatArray) -> FloatArray:
    """Return log sigma(r - r_ref), at most 0, of the rewards' shape.

    Near 0 above the reference and near r - r_ref below it: training focuses on low rewards.

    By hand: a reward at its reference gives -log 2 = -0.6931; ln 3 above it -log(4/3) = -0.2877.

    Args:
        rewards: Shape (b, g, m).
        references: Broadcasts against `rewards`, for instance (b, 1, m).
    """
    transformed: FloatArray = -np.logaddexp(0.0, references - rewards)
    return transformed


class LogSigmoid(Aggregator):
    """Weights `log_sigmoid_centred` rewards, then compares the sums within the group.

    The references are quantiles of the base's scored answers to each prompt, which the shared stage
    stores: they need no sampling and are the same for every run of a sweep.

    References:
        Wang et al. 2024, arXiv 2402.00742 (LSC), eq. 2.3. Departures: (1) rewards are in standard
        deviations of the base's answers, where the paper has Bradley-Terry logits; (2) a weighted
        sum in place of the paper's plain sum; (3) one quantile for all objectives, 0.85, assumed:
        the paper takes a high one for helpfulness and a canned refusal for harmlessness.
    """

    def __init__(self, spec: LogSigmoidSpec, context: MethodContext, launch: Launch) -> None:
        self._references: FloatArray = np.quantile(
            context.candidates.standardised, spec.ref_quantile, axis=1
        )

    def advantages(self, batch: RewardBatch) -> FloatArray:
        """Return one advantage for each answer, shape (b, g)."""
        references = self._references[batch.prompts][:, None, :]
        return batch.estimate(log_sigmoid_centred(batch.rewards, references) @ batch.weights)
