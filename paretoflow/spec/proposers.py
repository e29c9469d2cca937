"""Which launch comes next."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from paretoflow.spec.base import Spec


class LatticeProposerSpec(Spec):
    """A fixed simplex lattice of weights (Das and Dennis 1998), spread from coarse to fine: the baseline."""

    type: Literal["lattice"]
    divisions: int | None = Field(None, ge=1)
    """Steps along each edge of the simplex; unset takes the fewest that give the spec's number of runs."""


class DirichletProposerSpec(Spec):
    """Weights drawn from a Dirichlet distribution, the corners first."""

    type: Literal["dirichlet"]
    alpha: float = Field(1.0, gt=0)
    """Concentration: 1 is uniform on the simplex, less prefers the corners."""


class CmorlProposerSpec(Spec):
    """C-MORL (Liu et al. 2024, arXiv 2410.02236): parallel initialisation, selection by crowding distance with the extremes
    first, constrained extension of each selected policy in each objective."""

    type: Literal["cmorl"]
    initial: int | None = Field(None, ge=1)
    """Weighted runs of the first stage; unset takes 3 for two objectives, else m + 1 (the corners first)."""
    select: int = Field(2, ge=1)
    """Policies selected in a round of extension."""
    slack: float = Field(0.05, ge=0)
    """Additive slack of the thresholds, in units of the normalised range."""
    beta: float | None = Field(None, gt=0, le=1)
    """The paper's multiplicative slack, which replaces the additive one; fragile for scores at or below zero."""


class EmptyBoxProposerSpec(Spec):
    """Constrained launches into the box with the largest hypervolume gap; a box is deleted when its launch ends, found or not
    (after IPRO, Röpke et al. 2024, arXiv 2402.07182)."""

    type: Literal["empty_box"]
    initial: int | None = Field(None, ge=1)
    """Weighted runs before the first box; unset takes 3 for two objectives, else m + 1 (the corners first)."""
    slack: float = Field(0.05, ge=0)
    """Room below the midpoint threshold of a box, in units of the normalised range."""


class AutoProposerSpec(Spec):
    """`empty_box` below five objectives, `dirichlet` from five on."""

    type: Literal["auto"] = "auto"


ProposerSpec = Annotated[
    LatticeProposerSpec | DirichletProposerSpec | CmorlProposerSpec | EmptyBoxProposerSpec | AutoProposerSpec,
    Field(discriminator="type"),
]
