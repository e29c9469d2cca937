"""Which launch comes next."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from paretoflow.spec.base import Spec


class LatticeProposerSpec(Spec):
    """A fixed simplex lattice of weights, spread from coarse to fine: the baseline.

    Das and Dennis 1998.
    """

    type: Literal["lattice"]
    divisions: int | None = Field(None, ge=1)
    """Steps along each edge of the simplex; unset: the fewest that give `stop.runs` weights."""


class DirichletProposerSpec(Spec):
    """Weights drawn from a Dirichlet distribution, the corners first."""

    type: Literal["dirichlet"]
    alpha: float = Field(1.0, gt=0)
    """Concentration: 1 is uniform on the simplex, less prefers the corners."""


class CmorlProposerSpec(Spec):
    """C-MORL: weighted runs, then constrained extensions of policies selected by crowding.

    The extremes are selected first, then the largest crowding distances; each selected policy is
    extended in each objective. Liu et al. 2024, arXiv 2410.02236.
    """

    type: Literal["cmorl"]
    initial: int | None = Field(None, ge=1)
    """Weighted runs of the first stage, corners first; unset: 3 for two objectives, else m + 1."""
    select: int = Field(2, ge=1)
    """Policies selected in a round of extension."""
    slack: float = Field(0.05, ge=0)
    """Additive slack of the thresholds, in units of the normalised range."""
    beta: float | None = Field(None, gt=0, le=1)
    """The paper's multiplicative slack, replacing the additive one; fragile for scores <= 0."""


class EmptyBoxProposerSpec(Spec):
    """Constrained launches into the box with the largest hypervolume gap.

    A box is deleted when its launch ends, found or not. After IPRO (Röpke et al. 2024,
    arXiv 2402.07182).
    """

    type: Literal["empty_box"]
    initial: int | None = Field(None, ge=1)
    """Weighted runs before any box, corners first; unset: 3 for two objectives, else m + 1."""
    slack: float = Field(0.05, ge=0)
    """Room below the midpoint threshold of a box, in units of the normalised range."""


class AutoProposerSpec(Spec):
    """`empty_box` below five objectives, `dirichlet` from five on."""

    type: Literal["auto"] = "auto"


ProposerSpec = Annotated[
    LatticeProposerSpec
    | DirichletProposerSpec
    | CmorlProposerSpec
    | EmptyBoxProposerSpec
    | AutoProposerSpec,
    Field(discriminator="type"),
]
