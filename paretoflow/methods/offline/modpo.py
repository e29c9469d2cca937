"""Multi-objective DPO: one objective ranks the pairs, the others enter as margins."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn.functional import logsigmoid
from transformers import Trainer

from paretoflow.core.protocols import Checkpoint
from paretoflow.core.values import FloatArray
from paretoflow.methods.offline.base import PairMethod
from paretoflow.methods.offline.pair_trainer import PairBatch
from paretoflow.methods.offline.ratio_trainer import RatioBatch, RatioTrainer, answers_of
from paretoflow.methods.preferences.pairs import PairStream
from paretoflow.methods.training.context import Run
from paretoflow.spec.methods import ModpoMethodSpec


class ModpoMethod(PairMethod[ModpoMethodSpec]):
    """MODPO on scored answers, or on pairs that people labelled and the objectives scored.

    The anchor k is the objective with the largest weight, the first among equals; it ranks the
    pairs. With D the log-ratio to the base of the better answer minus that of the worse, and d_i
    their difference on objective i over the standard deviation of such differences (with
    `standardise: global` over that of all scores, with `none` as it is):

        loss = -log s( (1/w_k) [ beta D - sum_{i != k} w_i d_i ] )

    which is DPO's loss with beta/w_k for beta and log pi_ref(better) + (1/beta) sum_{i != k} w_i
    d_i for the reference of the better answer; so TRL's own loss is used, and w_k = 1 is bitwise
    DPO.

    By hand, beta = 0.1, w = (0.8, 0.2), k = 0. Pair 1 with D = 4, d_1 = 1: (0.4 - 0.2)/0.8 = 0.25,
    loss log(1 + e^-0.25) = 0.575939. Pair 2 with D = -2, d_1 = -3: (-0.2 + 0.6)/0.8 = 0.5, loss
    log(1 + e^-0.5) = 0.474077.

    Hard labels have no best policy at a finite distance: the margin grows as long as training
    lasts, and the anchor, which ranks the pairs, outgrows the others. With soft labels the better
    answer wins with probability s(d_k), as Bradley and Terry have it, and the loss is least where

        pi(y) = pi_base(y) exp( (1/beta) sum_i w_i r_i(y) ) / Z

    in r of unit spread. Pair 1 with d_k = log 3, so a win in three of four: 0.75 * 0.575939 + 0.25
    * (0.575939 + 0.25) = 0.638439.

    Of labelled pairs the anchor's own are drawn, ranked by their labels. A person's label is one
    sample, so these labels are hard.

    References:
        Zhou et al. 2023, arXiv 2310.03708. Departures: (1) the other rewards are the
        sweep's scores, standardised, in place of trained margin models; (2) the anchor is chosen by
        weight, and may change when a dual controller moves the weights; (3) w_k is held above
        `min_weight` in the denominator; (4) `labels: soft` is the population form of the paper's
        loss, which has sampled labels.
    """

    def effective(self, checkpoint: Checkpoint) -> FloatArray | None:
        """Return the objectives' shares in the margins of the anchor's pairs."""
        weights = checkpoint.weights
        anchor = np.eye(len(weights))[int(np.argmax(weights))]
        return self._table.effective(weights, ranking=anchor)

    def options(self) -> dict[str, Any]:
        """Return the loss."""
        return {"loss_type": ["sigmoid"]}

    def batch(self, stream: PairStream, draws: Sequence[int], weights: FloatArray) -> PairBatch:
        """Return the anchor's pairs under the current weights, for hard labels."""
        return modpo_batch(stream, draws, weights, self._spec)

    def _trainer(self, run: Run) -> Trainer:
        given = self._context.candidates.given
        if self._spec.labels == "hard" or (given is not None and given.labels is not None):
            return super()._trainer(run)
        stream = PairStream(self._table, run.attempt.launch.seed)

        def make_batch(draws: Sequence[int]) -> RatioBatch:
            return soft_batch(stream, draws, run.controller.weights, self._spec)

        return RatioTrainer(run, self._context, make_batch)


def modpo_batch(
    stream: PairStream, draws: Sequence[int], weights: FloatArray, spec: ModpoMethodSpec
) -> PairBatch:
    """Return the anchor's pairs with the other objectives' margins folded into the reference.

    `weights` are the current ones, shape (m,).
    """
    anchor = int(np.argmax(weights))
    others = weights / _unit(stream, spec)
    others[anchor] = 0.0
    examples: list[dict[str, Any]] = []
    for pair in stream.draw(draws, np.eye(len(weights))[anchor]):
        example = stream.table.example(pair)
        example["ref_chosen_logps"] += float((others * pair.difference).sum()) / spec.beta
        examples.append(example)
    return PairBatch(examples, spec.beta / max(float(weights[anchor]), spec.min_weight))


def soft_batch(
    stream: PairStream, draws: Sequence[int], weights: FloatArray, spec: ModpoMethodSpec
) -> RatioBatch:
    """Return the anchor's pairs with the loss of soft labels.

    `weights` are the current ones, shape (m,).
    """
    anchor = int(np.argmax(weights))
    pairs = stream.draw(draws, np.eye(len(weights))[anchor])
    differences = np.array([pair.difference for pair in pairs]) / _unit(stream, spec)
    loss = partial(soft_loss, differences=differences, weights=weights, spec=spec)
    return RatioBatch(answers_of(pairs), loss)


def _unit(stream: PairStream, spec: ModpoMethodSpec) -> FloatArray:
    """Return the divisor of differences, shape (m,)."""
    spread = stream.table.spread
    return spread if spec.standardise == "prompt" else np.ones_like(spread)


def soft_loss(
    ratios: torch.Tensor, differences: FloatArray, weights: FloatArray, spec: ModpoMethodSpec
) -> torch.Tensor:
    """Return the mean loss of b pairs under soft labels.

    Args:
        ratios: Log-ratios of the answers that come first in their pairs, then of the others, (2b,).
        differences: Rewards of first minus other, in units of their spread, shape (b, m).
        weights: Shape (m,).
        spec: Has beta and the floor of the anchor's weight.
    """
    anchor = int(np.argmax(weights))
    others = weights.copy()
    others[anchor] = 0.0
    first, other = ratios.chunk(2)
    logits = spec.beta * (first - other) - ratios.new_tensor((differences * others).sum(axis=1))
    logits = logits / max(float(weights[anchor]), spec.min_weight)
    wins = torch.sigmoid(ratios.new_tensor(differences[:, anchor]))
    losses = -wins * logsigmoid(logits) - (1 - wins) * logsigmoid(-logits)
    return losses.mean()
