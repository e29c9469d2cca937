"""When a run is set aside because others like it are ahead."""

from __future__ import annotations

from pydantic import Field

from paretoflow.spec.base import Spec


class RungsSpec(Spec):
    """Rungs: steps at which the worse runs are paused; needs `method.checkpoint_every`.

    A checkpoint that is on the front, or within the noise of its evaluation, is never paused. A
    paused run keeps its trainer state and goes on when its place among the others has risen.
    """

    reduction: int = Field(3, ge=2)
    """One run in so many goes on from a rung, and the next rung is so many times as far."""
    first: int | None = Field(None, ge=1)
    """Steps of the first rung; unset: the first checkpoint."""
