"""Which launch comes next: a spec for each proposer, a module for each family."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from paretoflow.spec.base import Spec
from paretoflow.spec.proposers.constrained import (
    CmorlHvProposerSpec,
    CmorlProposerSpec,
    EmptyBoxProposerSpec,
    PgPredictProposerSpec,
)
from paretoflow.spec.proposers.evaluation import ReevaluateProposerSpec
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
    lead: int = Field(12, ge=0)
    """Launches after the opening that follow a fixed rule before arms compete; 0 is the default of
    earlier versions: none, and `dirichlet` from five objectives on."""


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
ReevaluateProposerSpec.model_rebuild(_types_namespace={"ProposerSpec": ProposerSpec})
