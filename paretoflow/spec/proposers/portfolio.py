"""A proposer that alternates between others."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from paretoflow.spec.base import Spec
from paretoflow.spec.proposers.constrained import (
    CmorlHvProposerSpec,
    CmorlProposerSpec,
    EmptyBoxProposerSpec,
    PgPredictProposerSpec,
)
from paretoflow.spec.proposers.sets import PslProposerSpec, SvhPslProposerSpec
from paretoflow.spec.proposers.surrogates import GpHviProposerSpec, OlsProposerSpec
from paretoflow.spec.proposers.weights import DirichletProposerSpec, LatticeProposerSpec

ArmSpec = Annotated[
    LatticeProposerSpec
    | DirichletProposerSpec
    | CmorlProposerSpec
    | CmorlHvProposerSpec
    | EmptyBoxProposerSpec
    | PgPredictProposerSpec
    | PslProposerSpec
    | SvhPslProposerSpec
    | OlsProposerSpec
    | GpHviProposerSpec,
    Field(discriminator="type"),
]


class PortfolioProposerSpec(Spec):
    """Several proposers, chosen in turn by the hypervolume that their launches added per cost.

    A bandit (discounted Thompson sampling) draws the proposer of the next launch. Raj and Kalyani
    2017, arXiv 1707.09727.
    """

    type: Literal["portfolio"]
    arms: tuple[ArmSpec, ...] | None = Field(None, min_length=2)
    """The proposers, each a tag or a block. Unset: `gp_hvi`, `cmorl_hv` and `pg_predict` below five
    objectives, `gp_hvi` and `dirichlet` from five on."""
    discount: float = Field(0.95, gt=0, le=1)
    """Factor on the weight of ended launches for each further one; 1 forgets nothing."""
    initial: int | None = Field(None, ge=1)
    """Weighted runs before those of the arms, corners first. Unset: one more than objectives."""
    lead: int = Field(0, ge=0)
    """Number of launches after `initial` that are chosen by largest expected gain, since a few
    launches cannot rank arms: among weights as in `gp_hvi`, gaps as in `empty_box`, and
    continuations as in `pg_predict`."""

    @field_validator("arms", mode="before")
    @classmethod
    def _tags_or_blocks(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return tuple({"type": arm} if isinstance(arm, str) else arm for arm in value)
