"""Proposers that model the results of weights: by bounds, or by Gaussian processes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from paretoflow.spec.base import Spec

MOST_CORNERED = 4
"""Maximum objectives of proposers that visit corner weights, whose number grows as a power."""


class OlsProposerSpec(Spec):
    """Optimistic linear support: corner weights of the known values, the widest bound first.

    For two to four objectives. It reaches the points of weighted sums: all of a convex front, and
    only the ends of a concave one. Roijers 2016, ch. 3.
    """

    type: Literal["ols"]
    epsilon: float | None = Field(None, ge=0)
    """The sweep ends when no weighted sum can gain more than this, in units of the normalised range
    and beyond the noise; unset: the whole budget is used, on weights far from all others."""
    z: float = Field(1.0, ge=0)
    """Standard errors by which scores are lowered before `epsilon` is compared."""


class GpHviProposerSpec(Spec):
    """The weights with the largest expected gain of hypervolume under a Gaussian process.

    A process for each objective over the weights of finished runs, with the scores' standard errors
    as noise. Where weights cannot help, a constrained launch fills a gap of the front.
    """

    type: Literal["gp_hvi"]
    initial: int | None = Field(None, ge=1)
    """Weighted runs before any model, corners first; unset: 3 for two objectives, else m + 1."""
    constrained: bool = True
    """Also launch into the largest gap of the front where its expected gain exceeds that of any
    weights, if the method takes constrained launches; false: weights only, which fail on a concave
    front."""
    slack: float = Field(0.05, ge=0)
    """Slack below the midpoint threshold of a gap, in units of the normalised range."""
