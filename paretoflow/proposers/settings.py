"""Decides what launches set beside their weights where a proposer looks at weights alone.

One rule for all of them: the values come from a sequence that fills the box of the axes evenly, so
that a sweep with a `search` block compares proposers of weights fairly, and `psl` has a baseline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from paretoflow.core.ids import rng_of
from paretoflow.core.protocols import Proposer
from paretoflow.core.settings import settings_text
from paretoflow.core.values import FloatArray, History, LaunchKind, Proposal
from paretoflow.spec.search import Axis


class DrawnSettings:
    """Lets a proposer choose the launches, and draws the settings of each.

    A launch that starts from a parent keeps the parent's adapter and so its ranks. A mixture trains
    nothing: it is asked with the decoding that was drawn. What is evaluated again is asked as it
    was before.

    Args:
        proposer: Chooses the launches; it sees settings in the history and may pass them over.
        axes: What is drawn, at least one.
    """

    def __init__(self, proposer: Proposer, axes: Sequence[Axis]) -> None:
        self._proposer = proposer
        self._axes = tuple(axes)

    def propose(
        self, history: History, pending: Sequence[Proposal], count: int, seed: int
    ) -> list[Proposal]:
        """Return what the proposer does, with settings."""
        chosen = self._proposer.propose(history, pending, count, seed)
        first = len(history.runs) + len(pending)
        return [drawn(p, self._axes, first + i, seed) for i, p in enumerate(chosen)]


def drawn(proposal: Proposal, axes: Sequence[Axis], number: int, seed: int) -> Proposal:
    """Return a launch with the settings that it can take, drawn evenly.

    Args:
        proposal: Without settings.
        axes: All axes of the sweep; may be none.
        number: How many launches came before.
        seed: Seed of the sweep.
    """
    if not any(reaches(axis, proposal) for axis in axes):
        return proposal
    pairs = zip(axes, even_place(len(axes), number, seed).tolist(), strict=True)
    settings = tuple((a.name, a.value(place)) for a, place in pairs if reaches(a, proposal))
    reason = f"{proposal.reason.removesuffix('.')}; drawn evenly: {settings_text(settings)}."
    return replace(proposal, settings=settings, reason=reason)


def reaches(axis: Axis, proposal: Proposal) -> bool:
    """Return whether a launch of this kind can set an axis."""
    if proposal.kind is LaunchKind.REEVALUATE:
        return False
    if axis.home == "generation":
        return True
    if proposal.kind is LaunchKind.MERGE:
        return False
    return axis.home == "method" or proposal.parent is None


def even_place(dimensions: int, number: int, seed: int) -> FloatArray:
    """Return one point of a sequence that fills the unit cube evenly, shape (d,).

    By hand, one dimension: steps of 1 / g = 0.618…, so from 0.1 come 0.718, 0.336, 0.954, …

    Args:
        dimensions: d, at least 1.
        number: Which point, from 0; any can be had without those before it.
        seed: Decides where the sequence starts, and nothing else.

    References:
        Niederreiter (1992), Random number generation and quasi-Monte Carlo methods, ch. 3: a
        Kronecker sequence, with the steps of `front.simplex.even_simplex`, moved as a whole by
        Cranley and Patterson's random shift (1976). Unlike a Sobol sequence it needs no scipy.
    """
    root = 2.0
    for _ in range(64):
        root = (1.0 + root) ** (1.0 / (dimensions + 1))
    start = rng_of(seed, "settings").random(dimensions)
    steps = root ** -np.arange(1, dimensions + 1, dtype=np.float64)
    place: FloatArray = (start + number * steps) % 1.0
    return place
