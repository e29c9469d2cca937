"""Listwise preference optimisation on scored answers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch.nn.functional import softplus
from transformers import Trainer

from paretoflow.core.protocols import Checkpoint
from paretoflow.core.values import FloatArray
from paretoflow.methods.offline.ratio_trainer import RatioBatch, RatioTrainer
from paretoflow.methods.preferences.draws import Draws, Stratum, by_source
from paretoflow.methods.preferences.effective import shares
from paretoflow.methods.preferences.lists import ScoredList, scored_lists
from paretoflow.methods.training.context import Run
from paretoflow.methods.training.run import TrainedMethod
from paretoflow.spec.methods import LipoMethodSpec

RANK_DECIMALS = 4
"""Scores are ranked after rounding: the order of summation must not decide ranks."""


class LipoMethod(TrainedMethod[LipoMethodSpec]):
    """LiPO-lambda on lists of the base's answers, labelled by the weighted, standardised score.

    With s_i = beta log pi/pi_base of answer i and its label l_i from 0 (the list's worst) to 1 (its
    best), a list's loss is

        sum over l_i > l_j of D_ij log(1 + e^-(s_i - s_j))
        D_ij = |2^l_i - 2^l_j| |1 / log(1 + t_i) - 1 / log(1 + t_j)|

    with t_i the rank of answer i by s, from 1, through which no gradient flows. By hand: two
    answers, labels (1, 0), s = (0, log 3): the worse is first, so D = 1 |1/log 3 - 1/log 2| =
    0.532456, loss 0.532456 log(1 + 3) = 0.738140. Uniform weighting is D = 1; then lists of two
    are DPO on each prompt's widest pair.

    References:
        Liu et al. 2024, arXiv 2402.01878; Burges et al. 2006 for lambda. Departures:
        (1) answers are the base's own, labelled by scores; (2) logarithms are natural, which only
        scales the loss; (3) the loss is a sum over a list's pairs, then a mean over lists; (4)
        equal s, as at the start of a run, rank as their labels do; (5) the base is the reference,
        also for a run that starts from a parent.
    """

    def effective(self, checkpoint: Checkpoint) -> FloatArray | None:
        """Return the objectives' shares in the margins within lists; see `TrainedMethod`."""
        table, size = self._context.candidates, self._spec.list_size
        scores, apart = table.standardised, []
        for row in scored_lists(table, checkpoint.weights, size):
            own = scores[row.prompt, list(row.answers)]
            first, second = np.triu_indices(len(own), k=1)
            apart.append(own[first] - own[second])
        return shares(np.concatenate(apart), checkpoint.weights) if apart else None

    def _trainer(self, run: Run) -> Trainer:
        candidates, size = self._context.candidates, self._spec.list_size

        def strata(weights: FloatArray) -> list[Stratum[ScoredList]]:
            found = scored_lists(candidates, weights, size)
            return by_source(candidates, found, lambda row: row.prompt)

        lists = Draws(strata, run.attempt.launch.seed)

        def make_batch(draws: Sequence[int]) -> RatioBatch:
            drawn = lists.draw(draws, run.controller.weights)
            answers = [(row.prompt, answer) for row in drawn for answer in row.answers]
            return RatioBatch(answers, partial(lipo_loss, lists=drawn, spec=self._spec))

        return RatioTrainer(run, self._context, make_batch)


def lipo_loss(
    ratios: torch.Tensor, lists: Sequence[ScoredList], spec: LipoMethodSpec
) -> torch.Tensor:
    """Return the mean loss of lists, from their concatenated answers' log-ratios, shape (n,)."""
    losses = []
    scores = (spec.beta * ratios).split([len(row.answers) for row in lists])
    for own, row in zip(scores, lists, strict=True):
        labels = own.new_tensor(row.labels)
        pairs = softplus(own[None, :] - own[:, None])
        if spec.weighting == "lambda":
            pairs = pairs * lambda_weights(own.detach(), labels)
        losses.append(pairs[labels[:, None] > labels[None, :]].sum())
    return torch.stack(losses).mean()


def lambda_weights(scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return D of every two answers, shape (L, L), from scores and labels in order of labels."""
    order = torch.argsort(scores.round(decimals=RANK_DECIMALS), descending=True, stable=True)
    discounts = torch.empty_like(labels)
    discounts[order] = 1 / torch.log(2 + torch.arange(len(labels), device=labels.device).to(labels))
    gains = torch.exp2(labels)
    swaps = (discounts[:, None] - discounts[None, :]).abs()
    return (gains[:, None] - gains[None, :]).abs() * swaps
