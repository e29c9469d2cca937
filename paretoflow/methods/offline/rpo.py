"""DPO with a likelihood term on the better answer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch.nn.functional import logsigmoid

from paretoflow.core.protocols import Candidates
from paretoflow.methods.offline.base import RatioPairMethod
from paretoflow.methods.offline.ratio_trainer import RatioBatch, answers_of
from paretoflow.methods.preferences.pairs import Pair
from paretoflow.methods.training.context import MethodContext
from paretoflow.spec.methods import RpoMethodSpec


class RpoMethod(RatioPairMethod[RpoMethodSpec]):
    """RPO: the loss is -log s(beta D) - sft_weight L, L the better answer's log-likelihood.

    L is a mean over the answer's tokens, or their sum; D is as in `DpoMethod`. The term keeps the
    better answer from losing likelihood while the margin grows. By hand: beta = 0.01, D = 100, L =
    -2 per token, sft_weight = 0.005: log(1 + e^-1) + 0.01 = 0.323262.

    References:
        Liu et al. 2024, arXiv 2405.16436, with the chosen answer as baseline; beta and sft_weight
        as in TRL's preset for it. Departures: those of `DpoMethod`; (3) `sft_reduction: mean` is
        over each answer's tokens, then over answers: TRL's own term is over all tokens of a forward
        pass and so depends on the division of a batch, and the paper's is the sum.
    """

    def __init__(self, spec: RpoMethodSpec, context: MethodContext) -> None:
        super().__init__(spec, context, spec.pairs_per_prompt)

    def batch(self, pairs: Sequence[Pair]) -> RatioBatch:
        """Return the answers of drawn pairs, with their loss."""
        return rpo_batch(self._context.candidates, pairs, self._spec)


def rpo_batch(candidates: Candidates, pairs: Sequence[Pair], spec: RpoMethodSpec) -> RatioBatch:
    """Return the pairs' answers with their loss."""
    refs = torch.tensor([candidates.ref_logprobs[p.prompt, p.chosen] for p in pairs])
    lengths = torch.ones_like(refs)
    if spec.sft_reduction == "mean":
        tokens = [len(candidates.completion_ids[p.prompt][p.chosen]) for p in pairs]
        lengths = torch.tensor(tokens).clamp(min=1)
    loss = partial(rpo_loss, refs=refs, lengths=lengths, spec=spec)
    return RatioBatch(answers_of(pairs), loss)


def rpo_loss(
    ratios: torch.Tensor, refs: torch.Tensor, lengths: torch.Tensor, spec: RpoMethodSpec
) -> torch.Tensor:
    """Return the mean loss of b pairs.

    Args:
        ratios: Log-ratios of the better answers, then of the worse, shape (2b,).
        refs: The base's log-probabilities of the better answers, shape (b,).
        lengths: Divisors of their log-likelihoods, shape (b,).
        spec: Has beta and the weight of the likelihood.
    """
    better, worse = ratios.chunk(2)
    likelihood = (better + refs.to(better)) / lengths.to(better)
    losses = -logsigmoid(spec.beta * (better - worse)) - spec.sft_weight * likelihood
    return losses.mean()
