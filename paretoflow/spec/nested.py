"""A proposer and those within it: it may wrap one, or alternate between several."""

from __future__ import annotations

from collections.abc import Iterator

from paretoflow.spec.proposers import PortfolioProposerSpec, ProposerSpec, ReevaluateProposerSpec
from paretoflow.spec.shape import KeyPath


def nested(
    proposer: ProposerSpec, place: KeyPath = ("proposer",)
) -> Iterator[tuple[KeyPath, ProposerSpec]]:
    """Yield a proposer and those that it wraps or alternates between, each with its place."""
    yield place, proposer
    if isinstance(proposer, ReevaluateProposerSpec):
        yield from nested(proposer.of, (*place, "of"))
    if isinstance(proposer, PortfolioProposerSpec):
        for index, arm in enumerate(proposer.arms or ()):
            yield from nested(arm, (*place, "arms", index))


def innermost(proposer: ProposerSpec) -> tuple[KeyPath, ProposerSpec]:
    """Return the proposer that decides what is trained, and its place."""
    place: KeyPath = ("proposer",)
    while isinstance(proposer, ReevaluateProposerSpec):
        place, proposer = (*place, "of"), proposer.of
    return place, proposer
