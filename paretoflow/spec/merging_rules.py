"""Rules for sweeps that mix the adapters of a few trained runs; see `rules`."""

from __future__ import annotations

from collections.abc import Iterator

from paretoflow.spec.draft import Draft
from paretoflow.spec.launches import innermost
from paretoflow.spec.positions import Fault
from paretoflow.spec.proposers import MergingProposerSpec, SoupsProposerSpec


def merges(draft: Draft) -> Iterator[Fault]:
    """Yield faults of a proposer of merges: experts, rank, and what `ibcl` needs."""
    if draft.proposer is None:
        return
    place, proposer = innermost(draft.proposer)
    if not isinstance(proposer, MergingProposerSpec):
        return
    experts = proposer.experts or max(len(draft.objectives), 2)
    if draft.stop is not None and experts >= draft.stop.runs:
        what = f"got {experts} experts; allowed: fewer than stop.runs, {draft.stop.runs}, since "
        what += "mixtures are runs too"
        key = "type" if proposer.experts is None else "experts"
        yield Fault((*place, key), what, "raise stop.runs, or train fewer")
    how = getattr(proposer, "how", "")
    if proposer.rank is not None and how != "svd":
        what = f"got rank {proposer.rank} with how: {how}; allowed: with how: svd, which cuts to it"
        yield Fault((*place, "rank"), what, "write `how: svd`, or remove this")
    if isinstance(proposer, SoupsProposerSpec) and how == "ibcl" and draft.method is not None:
        every = draft.method.checkpoint_every
        if every is None or every >= draft.method.steps:
            what = "`ibcl` mixes posteriors over the checkpoints of a run, and a run has only one"
            yield Fault((*place, "how"), what, "set method.checkpoint_every")
