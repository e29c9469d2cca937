"""Proposers whose launches start from policies of the front."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from paretoflow.spec.base import Spec


class CmorlProposerSpec(Spec):
    """C-MORL: weighted runs, then constrained extensions of policies selected by crowding.

    The extremes are selected first, then the largest crowding distances; each selected policy is
    extended in each objective. Liu et al. 2024, arXiv 2410.02236.
    """

    type: Literal["cmorl"]
    initial: int | None = Field(None, ge=1)
    """Weighted runs of the first stage, corners first; unset: 3 for two objectives, else m + 1."""
    select: int = Field(2, ge=1)
    """Number of policies selected in a round of extension."""
    slack: float = Field(0.05, ge=0)
    """Additive slack of the thresholds, in units of the normalised range."""
    beta: float | None = Field(None, gt=0, le=1)
    """The paper's multiplicative slack, replacing the additive one; fragile for scores <= 0."""


class EmptyBoxProposerSpec(Spec):
    """Constrained launches into the box with the largest hypervolume gap.

    A box is deleted when its launch ends, whether or not a point was found. After IPRO (Röpke et
    al. 2024, arXiv 2402.07182).
    """

    type: Literal["empty_box"]
    initial: int | None = Field(None, ge=1)
    """Weighted runs before any box, corners first; unset: 3 for two objectives, else m + 1."""
    slack: float = Field(0.05, ge=0)
    """Slack below the midpoint threshold of a box, in units of the normalised range."""


class CmorlHvProposerSpec(Spec):
    """C-MORL's constrained extension, from the policy beside the gap with most possible gain.

    Thresholds come from the neighbour that bounds the gap. Liu et al. 2024, arXiv 2410.02236.
    """

    type: Literal["cmorl_hv"]
    initial: int | None = Field(None, ge=1)
    """Weighted runs before any extension, corners first; unset: one more than objectives."""
    reach: float = Field(0.6, gt=0, lt=1)
    """Share of the way to the neighbour beyond the gap that an extension may give up; more than
    half, since a concave front lies below the line between the two."""


class PgPredictProposerSpec(Spec):
    """Weighted continuations of the front's policies, where predicted hypervolume is largest.

    For many short runs. Xu et al. 2020 (PGMORL).
    """

    type: Literal["pg_predict"]
    initial: int | None = Field(None, ge=1)
    """Weighted runs before any continuation, corners first; unset: one more than objectives."""
    min_deltas: int = Field(20, ge=4)
    """Observed changes before predictions are used; until then policies are continued in turn. Each
    evaluation of a run is one, except the first of a run without a parent."""
