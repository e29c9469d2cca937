"""Supervised training on the better answers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch

from paretoflow.core.protocols import Candidates
from paretoflow.methods.offline.base import RatioPairMethod
from paretoflow.methods.offline.ratio_trainer import RatioBatch, likelihood_terms
from paretoflow.methods.preferences.pairs import Pair
from paretoflow.methods.training.context import MethodContext
from paretoflow.spec.methods import SftMethodSpec


class SftMethod(RatioPairMethod[SftMethodSpec]):
    """SFT: the loss is the negative log-likelihood per token of each prompt's best answer.

    On scored answers the best has the largest weighted, standardised score; a prompt whose answers
    all score the same is left out. On pairs that people labelled, the loss is sum_i w_i mean over
    D_i, with D_i the chosen answers of the pairs that objective i labels: the weights decide how
    often each is drawn. By hand: log-likelihoods -6 over 3 tokens and -2 over 2: (2 + 1) / 2 = 1.5.

    References:
        Dong et al. 2023, arXiv 2304.06767 (RAFT), for scored answers: their best answer to each
        prompt, here of the base alone and not of later policies. Ouyang et al. 2022, arXiv
        2203.02155, for given ones. Departures: (1) the loss is a mean over each answer's tokens,
        then over answers, so that the division of a batch has no effect, where TRL's is over all
        tokens; (2) rejected answers are not used.
    """

    def __init__(self, spec: SftMethodSpec, context: MethodContext) -> None:
        super().__init__(spec, context, 1)

    def batch(self, pairs: Sequence[Pair]) -> RatioBatch:
        """Return the answers of drawn pairs, with their loss."""
        return sft_batch(self._context.candidates, [(p.prompt, p.chosen) for p in pairs])


def sft_batch(candidates: Candidates, answers: list[tuple[int, int]]) -> RatioBatch:
    """Return answers, as (prompt, answer) indices, with their loss."""
    refs, lengths = likelihood_terms(candidates, answers)
    return RatioBatch(answers, partial(sft_loss, refs=refs, lengths=lengths))


def sft_loss(ratios: torch.Tensor, refs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Return the mean negative log-likelihood per token.

    Args:
        ratios: Log-ratios of the answers to the base, shape (b,).
        refs: The base's log-probabilities of the answers, shape (b,).
        lengths: Tokens of the answers, shape (b,).
    """
    return -((ratios + refs.to(ratios)) / lengths.to(ratios)).mean()
