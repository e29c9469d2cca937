"""What the launches of a proposer ask of a method, beside training towards weights."""

from __future__ import annotations

from collections.abc import Iterator

from paretoflow.spec.proposers import PortfolioProposerSpec, ProposerSpec, ReevaluateProposerSpec
from paretoflow.spec.shape import KeyPath

BEYOND_WEIGHTED = {
    "cmorl": "constrained",
    "cmorl_hv": "constrained",
    "empty_box": "constrained",
    "map": "merge",
    "merge_screen": "merge",
    "pg_predict": "continued",
    "reevaluate": "reevaluate",
    "soups": "merge",
}
"""Proposer tag to the kind of launch that it cannot do without; the others need weights alone."""

BY_ANY_METHOD = ("merge", "reevaluate", "continued")
"""Kinds that need nothing of a method, so long as an adapter of it serves one preference: it has no
part in the first two, and plain training goes on from a parent as it does from the base."""


def nested(
    proposer: ProposerSpec, place: KeyPath = ("proposer",)
) -> Iterator[tuple[KeyPath, ProposerSpec]]:
    """Yield a proposer and those that it wraps or lets take turns, each with its place."""
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
