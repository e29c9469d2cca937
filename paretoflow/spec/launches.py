"""What the launches of a proposer ask of a method, beside training towards weights."""

from __future__ import annotations

from collections.abc import Iterator

from paretoflow.spec.proposers import ProposerSpec, ReevaluateProposerSpec

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
    proposer: ProposerSpec, place: tuple[str, ...] = ("proposer",)
) -> Iterator[tuple[tuple[str, ...], ProposerSpec]]:
    """Yield a proposer and those that it wraps, the innermost last, each with its place."""
    yield place, proposer
    if isinstance(proposer, ReevaluateProposerSpec):
        yield from nested(proposer.of, (*place, "of"))


def innermost(proposer: ProposerSpec) -> tuple[tuple[str, ...], ProposerSpec]:
    """Return the proposer that decides what is trained, and its place."""
    return list(nested(proposer))[-1]
