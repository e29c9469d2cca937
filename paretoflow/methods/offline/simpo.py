"""Simple preference optimisation: pairs without a reference."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch.nn.functional import logsigmoid

from paretoflow.core.protocols import Candidates
from paretoflow.methods.offline.base import RatioPairMethod
from paretoflow.methods.offline.ratio_trainer import (
    RatioBatch,
    answers_of,
    likelihood_terms,
)
from paretoflow.methods.preferences.pairs import Pair
from paretoflow.methods.training.context import MethodContext
from paretoflow.spec.methods import SimpoMethodSpec


class SimpoMethod(RatioPairMethod[SimpoMethodSpec]):
    """SimPO: the loss is -log s(beta (L_w - L_l) - gamma).

    L is an answer's log-likelihood per token under the policy, so that the base does not enter, nor
    does an answer's length; gamma is the lead that a better answer should have. By hand: beta = 2,
    gamma = 1, log-likelihoods -3 over 3 tokens and -6 over 2: 2 (-1 + 3) - 1 = 3, loss log(1 +
    e^-3) = 0.048587.

    References:
        Meng et al. 2024, arXiv 2405.14734, eq. 6, with its beta and gamma = beta / 2. Departures:
        where people gave no pairs (see `preferences.pairs`), they are the base's own answers,
        ranked by weighted scores. Without a reference nothing holds a long run near the base: look
        at its checkpoints.
    """

    def __init__(self, spec: SimpoMethodSpec, context: MethodContext) -> None:
        super().__init__(spec, context, spec.pairs_per_prompt)

    def batch(self, pairs: Sequence[Pair]) -> RatioBatch:
        """Return the answers of drawn pairs, with their loss."""
        return simpo_batch(self._context.candidates, pairs, self._spec)


def simpo_batch(candidates: Candidates, pairs: Sequence[Pair], spec: SimpoMethodSpec) -> RatioBatch:
    """Return the pairs' answers with their loss."""
    answers = answers_of(pairs)
    refs, lengths = likelihood_terms(candidates, answers)
    return RatioBatch(answers, partial(simpo_loss, refs=refs, lengths=lengths, spec=spec))


def simpo_loss(
    ratios: torch.Tensor, refs: torch.Tensor, lengths: torch.Tensor, spec: SimpoMethodSpec
) -> torch.Tensor:
    """Return the mean loss of b pairs.

    Args:
        ratios: Log-ratios to the base of the better answers, then of the worse, shape (2b,).
        refs: The base's log-probabilities of the same answers, shape (2b,).
        lengths: Tokens of the same answers, shape (2b,).
        spec: Has beta and gamma.
    """
    better, worse = ((ratios + refs.to(ratios)) / lengths.to(ratios)).chunk(2)
    return -logsigmoid(spec.beta * (better - worse) - spec.gamma).mean()
