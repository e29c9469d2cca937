"""Rules for sweeps whose proposers take turns; see `rules`."""

from __future__ import annotations

from collections.abc import Iterator

from paretoflow.spec.draft import Draft
from paretoflow.spec.launches import innermost
from paretoflow.spec.positions import Fault
from paretoflow.spec.proposers import PortfolioProposerSpec


def distinct_arms(draft: Draft) -> Iterator[Fault]:
    """Yield the fault of an arm that is there twice: the two could not be told apart."""
    place, proposer = innermost(draft.proposer) if draft.proposer else ((), None)
    if not isinstance(proposer, PortfolioProposerSpec):
        return
    tags = [arm.type for arm in proposer.arms or ()]
    for index, tag in enumerate(tags):
        if tag in tags[:index]:
            what = f"got {tag} twice; allowed: each proposer once, as launches are told by its tag"
            yield Fault((*place, "arms", index), what, "remove one of them")
