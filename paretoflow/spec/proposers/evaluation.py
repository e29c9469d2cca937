"""Proposers that spend evaluation where it tells most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from paretoflow.spec.base import Spec

if TYPE_CHECKING:
    from paretoflow.spec.proposers import ProposerSpec


class ReevaluateProposerSpec(Spec):
    """Another proposer, and a share of launches that evaluates doubtful snapshots again.

    Doubtful is what may well be wrongly held to be on the front, or off it, with much hypervolume
    at stake. Each such launch counts as a run, trains nothing and costs an evaluation. After Lee et
    al. 2010 (MOCBA).
    """

    type: Literal["reevaluate"]
    of: ProposerSpec = Field("auto", validate_default=True)
    """The proposer of all other launches: its tag, or its block."""
    share: float = Field(0.2, gt=0, lt=1)
    """Most of all launches that evaluate again; those that nothing is worth are kept for later."""
    times: int = Field(3, ge=1)
    """Most further evaluations of one snapshot."""

    @field_validator("of", mode="before")
    @classmethod
    def _tag_or_block(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value
