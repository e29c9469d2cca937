"""Specs of the proposers, which choose the next launch; one module per family."""

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
from paretoflow.spec.proposers.merging import (
    MapProposerSpec,
    MergeScreenProposerSpec,
    MergeWay,
    MergingProposerSpec,
    SoupsProposerSpec,
)
from paretoflow.spec.proposers.portfolio import ArmSpec, PortfolioProposerSpec
from paretoflow.spec.proposers.sets import PslProposerSpec, SvhPslProposerSpec
from paretoflow.spec.proposers.surrogates import GpHviProposerSpec, OlsProposerSpec
from paretoflow.spec.proposers.weights import DirichletProposerSpec, LatticeProposerSpec

__all__ = [
    "ArmSpec",
    "AutoProposerSpec",
    "CmorlHvProposerSpec",
    "CmorlProposerSpec",
    "DirichletProposerSpec",
    "EmptyBoxProposerSpec",
    "GpHviProposerSpec",
    "LatticeProposerSpec",
    "MapProposerSpec",
    "MergeScreenProposerSpec",
    "MergeWay",
    "MergingProposerSpec",
    "OlsProposerSpec",
    "PgPredictProposerSpec",
    "PortfolioProposerSpec",
    "ProposerSpec",
    "PslProposerSpec",
    "ReevaluateProposerSpec",
    "SoupsProposerSpec",
    "SvhPslProposerSpec",
]


class AutoProposerSpec(Spec):
    """`portfolio`; `empty_box` for five or six objectives or beyond 300 runs; else `dirichlet`."""

    type: Literal["auto"] = "auto"
    lead: int = Field(64, ge=0)
    """Number of launches after the opening that are chosen by largest expected gain, before arms
    compete; the default is the measured setting. 0 is the default of earlier versions: none, and
    `dirichlet` from five objectives on."""


class ReevaluateProposerSpec(Spec):
    """Another proposer, and a share of launches that evaluates doubtful checkpoints again.

    A checkpoint is doubtful if it may wrongly count as on the front, or off it, with much
    hypervolume at stake. Each such launch counts as a run, trains nothing and costs an evaluation.
    After Lee et al. 2010 (MOCBA).
    """

    type: Literal["reevaluate"]
    of: ProposerSpec = Field("auto", validate_default=True)
    """The proposer of all other launches: its tag, or its block."""
    share: float = Field(0.2, gt=0, lt=1)
    """Maximum share of all launches that evaluate again; unused ones are kept for later."""
    times: int = Field(3, ge=1)
    """Maximum further evaluations of one checkpoint."""

    @field_validator("of", mode="before")
    @classmethod
    def _tag_or_block(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value


ProposerSpec = Annotated[
    LatticeProposerSpec
    | DirichletProposerSpec
    | CmorlProposerSpec
    | CmorlHvProposerSpec
    | EmptyBoxProposerSpec
    | PgPredictProposerSpec
    | SoupsProposerSpec
    | MapProposerSpec
    | MergeScreenProposerSpec
    | PslProposerSpec
    | SvhPslProposerSpec
    | ReevaluateProposerSpec
    | PortfolioProposerSpec
    | OlsProposerSpec
    | GpHviProposerSpec
    | AutoProposerSpec,
    Field(discriminator="type"),
]
ReevaluateProposerSpec.model_rebuild()
