"""Decides what counts as asked for already: every launch, ended or pending, failed ones included.

A failed run was asked for: the engine has used up its retries, and a proposer that asked again
would spend the whole budget on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from paretoflow.core.ids import seed_of
from paretoflow.core.values import History, LaunchKind, Proposal

Choose = Callable[[Sequence[Proposal]], Proposal | None]
"""Given the pending launches, the next one; None when nothing is worth starting now."""


def asked_of(history: History, pending: Sequence[Proposal]) -> list[Proposal]:
    """Return every launch that was asked for: the ended ones, then the pending ones."""
    return [*(run.proposal for run in history.runs), *pending]


def tried_weights(asked: Sequence[Proposal]) -> set[tuple[float, ...]]:
    """Return the weights of all weighted launches, whichever proposer chose them."""
    return {p.weights.values for p in asked if p.kind is LaunchKind.WEIGHTED}


def seed_for(seed: int, asked: Sequence[Proposal]) -> int:
    """Return the seed of the next launch: no two launches of a sweep share one."""
    return seed_of(seed, len(asked))


def one_by_one(choose: Choose, pending: Sequence[Proposal], count: int) -> list[Proposal]:
    """Choose up to `count` launches, each as if those before it were pending already.

    So a batch of k is the same as k single requests, and its members differ from each other.
    """
    chosen: list[Proposal] = []
    while len(chosen) < count:
        proposal = choose([*pending, *chosen])
        if proposal is None:
            break
        chosen.append(proposal)
    return chosen
