"""Proposers that model what weights come to: by bounds, or by Gaussian processes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from paretoflow.spec.base import Spec

MOST_CORNERED = 4
"""Objectives up to which corner weights can be visited: there are as many as a power of points."""


class OlsProposerSpec(Spec):
    """Optimistic linear support: weights at the corners of what is known, the widest bound first.

    For two to four objectives. It reaches what weighted sums can reach, which is all of a convex
    front and only the ends of a concave one. Roijers 2016, ch. 3.
    """

    type: Literal["ols"]
    epsilon: float | None = Field(None, ge=0)
    """The sweep ends when no weighted sum can gain more than this, in units of the normalised range
    and beyond the noise; unset: the whole budget is used, on weights far from all others."""
    z: float = Field(1.0, ge=0)
    """Standard errors by which scores are lowered before `epsilon` is compared."""


class GpHviProposerSpec(Spec):
    """The weights whose run a Gaussian process expects to add the most hypervolume.

    A process for each objective over the weights of finished runs, with the scores' standard errors
    as noise. Where weights can't help, a gap of the front is filled by a constrained launch.
    """

    type: Literal["gp_hvi"]
    initial: int | None = Field(None, ge=1)
    """Weighted runs before any model, corners first; unset: 3 for two objectives, else m + 1."""
    constrained: bool = True
    """Also launch into the largest gap of the front where that promises more than any weights, if
    the method takes constrained launches; false: weights only, which a concave front stops."""
    slack: float = Field(0.05, ge=0)
    """Room below the midpoint threshold of a gap, in units of the normalised range."""
