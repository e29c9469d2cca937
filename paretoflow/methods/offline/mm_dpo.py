"""DPO with a beta for each pair, larger for pairs with a larger lead in score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from paretoflow.core.values import FloatArray
from paretoflow.methods.offline.base import PairMethod
from paretoflow.methods.offline.pair_trainer import PairBatch
from paretoflow.methods.preferences.pairs import PairStream
from paretoflow.spec.methods import MmDpoMethodSpec

MIN_BETA = 1e-3
"""Floor of a pair's beta, as in the release."""


class MmDpoMethod(PairMethod[MmDpoMethodSpec]):
    """DPO with MM-RLHF's margin scaling: the loss is -log s(beta(m) D) for a lead m in score.

    beta(m) = beta (1 + margin_weight (1 - e^(-margin_rate m))), at least 0.001; m = w.(r_better -
    r_worse) in standardised scores. By hand: beta = 0.1, margin_weight = margin_rate = 0.5, m = 2
    log 2: beta(m) = 0.1 (1 + 0.5 (1 - 1/2)) = 0.125.

    References:
        Zhang et al. 2025, arXiv 2502.10391. Departures: those of `DpoMethod`; (3) margin_weight and
        margin_rate are assumed, 0.5 each; (4) the release's likelihood term and its label smoothing
        are left out; the rest is DPO as published.
    """

    def options(self) -> dict[str, Any]:
        """Return the loss; beta comes with each batch."""
        return {"loss_type": ["sigmoid"]}

    def batch(self, stream: PairStream, draws: Sequence[int], weights: FloatArray) -> PairBatch:
        """Return the pairs of the draws under the current weights, with a beta each."""
        pairs = stream.draw(draws, weights)
        margins = np.array([(weights * pair.difference).sum() for pair in pairs])
        examples = [stream.table.example(pair) for pair in pairs]
        return PairBatch(examples, self._spec.beta, margin_beta(margins, self._spec))


def margin_beta(margins: FloatArray, spec: MmDpoMethodSpec) -> FloatArray:
    """Return beta(m) of each lead in score, shape (b,)."""
    growth = spec.margin_weight * (1.0 - np.exp(-spec.margin_rate * margins))
    beta: FloatArray = np.maximum(spec.beta * (1.0 + growth), MIN_BETA)
    return beta
