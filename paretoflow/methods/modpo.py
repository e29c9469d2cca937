"""Multi-objective DPO: one objective ranks the pairs, the others enter as margins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from paretoflow.core.protocols import Checkpoint, TrainRequest
from paretoflow.core.values import FloatArray
from paretoflow.methods.arguments import check_batch
from paretoflow.methods.context import MethodContext, Run
from paretoflow.methods.pair_trainer import PairBatch, PairTrainer
from paretoflow.methods.pairs import PairStream, PairTable
from paretoflow.methods.run import train_run
from paretoflow.spec.methods import ModpoMethodSpec


class ModpoMethod:
    """MODPO on the base's scored answers.

    The anchor k is the objective with the largest weight, the first among equals; it ranks the
    pairs. With D the log-ratio to the base of the better answer minus that of the worse, and d_i
    their difference on objective i over the standard deviation of such differences:

        loss = -log s( (1/w_k) [ beta D - sum_{i != k} w_i d_i ] )

    which is DPO's loss with beta/w_k for beta and log pi_ref(better) + (1/beta) sum_{i != k} w_i
    d_i for the reference of the better answer; so TRL's own loss is used, and w_k = 1 is DPO to the
    last bit.

    By hand, beta = 0.1, w = (0.8, 0.2), k = 0. Pair 1 with D = 4, d_1 = 1: (0.4 - 0.2)/0.8 = 0.25,
    loss log(1 + e^-0.25) = 0.575939. Pair 2 with D = -2, d_1 = -3: (-0.2 + 0.6)/0.8 = 0.5, loss
    log(1 + e^-0.5) = 0.474077.

    References:
        Zhou et al. 2023, arXiv 2310.03708. Departures: (1) the other rewards are the
        sweep's scores, standardised, in place of trained margin models; (2) the anchor is chosen by
        weight, and may change when a dual controller moves the weights; (3) w_k is held above
        `min_weight` in the denominator.
    """

    def __init__(self, spec: ModpoMethodSpec, context: MethodContext) -> None:
        check_batch(spec)
        self._spec = spec
        self._context = context
        self._table = PairTable(context.candidates, spec.pairs_per_prompt)

    def train(self, request: TrainRequest, report: Callable[[Checkpoint], None]) -> None:
        """Train one launch; see `core.protocols.Method`."""
        train_run(self._context, self._spec, request, report, self._trainer)

    def _trainer(self, run: Run) -> PairTrainer:
        stream = PairStream(self._table, run.request.seed)

        def make_batch(draws: Sequence[int]) -> PairBatch:
            return modpo_batch(stream, draws, run.controller.weights, self._spec)

        options = {"loss_type": ["sigmoid"], "beta": self._spec.beta}
        return PairTrainer(run, self._context.lm.tokenizer, options, make_batch)


def modpo_batch(
    stream: PairStream, draws: Sequence[int], weights: FloatArray, spec: ModpoMethodSpec
) -> PairBatch:
    """Return the anchor's pairs with the other objectives' margins folded into the reference.

    `weights` are those in force, shape (m,).
    """
    anchor = int(np.argmax(weights))
    others = weights / stream.table.spread
    others[anchor] = 0.0
    examples: list[dict[str, Any]] = []
    for pair in stream.draw(draws, np.eye(len(weights))[anchor]):
        example = stream.table.example(pair)
        example["ref_chosen_logps"] += float((others * pair.difference).sum()) / spec.beta
        examples.append(example)
    return PairBatch(examples, spec.beta / max(float(weights[anchor]), spec.min_weight))
