"""A DPO loss for each objective, with gradients combined without conflict."""

from __future__ import annotations

import numpy as np
from transformers import Trainer

from paretoflow.core.protocols import Checkpoint
from paretoflow.core.values import FloatArray
from paretoflow.methods.gradients.trainer import GradientTrainer
from paretoflow.methods.preferences.pairs import (
    MARGIN_DECIMALS,
    PairStream,
    PairTable,
    weighted_margins,
)
from paretoflow.methods.training.context import MethodContext, Run
from paretoflow.methods.training.run import TrainedMethod
from paretoflow.spec.methods import GradientDpoMethodSpec


class GradientDpoMethod(TrainedMethod[GradientDpoMethodSpec]):
    """DPO losses L_i = -mean log s(beta s_i D) on one pair set, combined by a `combiner`.

    s_i is the sign of objective i's preference in a pair (0: none, no loss) and D is the log-ratio
    to the base of one answer minus that of the other. The step is along G = sum_i a_i g_i with g_i
    the gradient of L_i over the adapter and a from `combiners`; with the linear one and one-hot
    weights this is DPO.

    On pairs that people labelled, L_i is the mean over the pairs that objective i labels. Every
    objective with weight is drawn equally often, and a pair counts in the loss of each objective
    that labels it (`Pair.factors`). Where all objectives label the same pairs, this is the
    published form; where each has pairs of its own, each loss covers the objective's own part of
    the batch.

    References:
        Chen et al. 2026, arXiv 2602.02495 (RACO, combiner `raco`). Departures: (1) where people
        gave no pairs, these are the base's own answers, and an objective's preference is the sign
        of its scores' difference; (2) they are taken where sum_i w_i |r_i - r_i'| is widest in
        standardised scores, so that the objectives with weight have a clear preference, in
        agreement or not; (3) AdamW takes the step, and gradients are clipped to `max_grad_norm`
        after they are combined; (4) an objective without weight is left out, see
        `combiners.coefficients`.
    """

    def __init__(self, spec: GradientDpoMethodSpec, context: MethodContext) -> None:
        super().__init__(spec, context)
        self._table = PairTable(
            context.candidates, spec.pairs_per_prompt, contested_margins, even=True
        )

    def effective(self, checkpoint: Checkpoint) -> FloatArray | None:
        """Return the objectives' shares in the margins of the pairs; see `TrainedMethod`."""
        return self._table.effective(checkpoint.weights)

    def _trainer(self, run: Run) -> Trainer:
        stream = PairStream(self._table, run.attempt.launch.seed)
        return GradientTrainer(run, self._context, self._spec, stream)


def contested_margins(differences: FloatArray, weights: FloatArray) -> FloatArray:
    """Return how strongly the weighted objectives distinguish two answers, in either direction.

    The size is sum_i w_i |d_i|, so that a pair on which two objectives disagree is as wide as one
    on which they agree; the sign is that of the weighted sum.

    By hand, w = (0.5, 0.5): d = (2, -1) gives 1.5, d = (-2, 1) gives -1.5, and d = (1, -1), which
    the weighted sum does not distinguish, gives 1.

    Args:
        differences: Shape (P, K, m).
        weights: Shape (m,).
    """
    turned = np.round(weighted_margins(differences, weights), MARGIN_DECIMALS) < 0
    sizes = weighted_margins(np.abs(differences), weights)
    return np.where(turned, -sizes, sizes)
