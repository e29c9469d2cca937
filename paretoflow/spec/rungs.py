"""Rungs: pausing of runs that similar runs have surpassed."""

from __future__ import annotations

from pydantic import Field

from paretoflow.spec.base import Spec


class RungsSpec(Spec):
    """Rungs: steps at which the worse runs are paused; needs `method.checkpoint_every`.

    A checkpoint that is on the front, or within the noise of its evaluation, is never paused. A
    paused run keeps its trainer state and continues when its rank among the others has risen.
    """

    reduction: int = Field(3, ge=2)
    """One run in `reduction` continues past a rung, and the next rung is `reduction` times as
    far."""
    first: int | None = Field(None, ge=1)
    """Step of the first rung. Unset: the first checkpoint."""
