"""Who takes part: every proposer of ours that trains, and the peers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from pydantic import TypeAdapter

from paretoflow.core.protocols import Proposer
from paretoflow.proposers import TAGS, build, resolve_tag
from paretoflow.spec.proposers import AutoProposerSpec, ProposerSpec
from tests.benchmarks.proposers.problems import Target

MERGING = ("map", "soups", "merge_screen")
"""Their launches mix adapters, which these oracles have none of."""


@dataclass(frozen=True)
class Setting:
    """What a proposer is built for.

    Args:
        target: The front; only the upper bound may look at it.
        runs: Budget.
        workers: How many runs are in training at a time.
    """

    target: Target
    runs: int
    workers: int


@dataclass(frozen=True)
class Entrant:
    """One that takes part.

    Args:
        name: Unique.
        build: Returns a fresh one for a sweep.
        ours: Whether it is a tag of `proposers.TAGS`.
        slow: Whether a decision takes so long that it meets fewer problems.
    """

    name: str
    build: Callable[[Setting], Proposer]
    ours: bool = False
    slow: bool = False


def our(tag: str, setting: Setting) -> Proposer:
    """Return one of our proposers with its default knobs."""
    spec: ProposerSpec = TypeAdapter(ProposerSpec).validate_python({"type": tag})
    return build(spec, m=setting.target.m, runs=setting.runs)


def default_of(m: int) -> str:
    """Return the tag that `auto` stands for."""
    return resolve_tag(AutoProposerSpec(), m)


def entrants() -> dict[str, Entrant]:
    """Return everyone by name, ours first."""
    tags = [tag for tag in TAGS if tag not in MERGING]
    return {tag: Entrant(tag, partial(our, tag), ours=True) for tag in tags}
