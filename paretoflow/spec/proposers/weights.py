"""Proposers that spread weights, independent of the results."""

from __future__ import annotations

from typing import Literal

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
    alpha: float = Field(1.0, gt=0, le=1e6)
    """Concentration: 1 is uniform on the simplex, less prefers the corners."""
