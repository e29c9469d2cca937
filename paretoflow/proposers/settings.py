"""Draws the settings of launches for proposers that choose weights only.

The values come from one sequence for all proposers, which fills the box of the axes evenly. So a
sweep with a `search` block compares proposers of weights fairly, and `psl` has a baseline.
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
    """Draws the settings of the launches that a proposer chooses.

    A launch that starts from a parent keeps the parent's adapter and so its ranks. A mixture does
    not train: only its decoding is drawn. A re-evaluation keeps the former settings.

    Args:
        proposer: Chooses the launches; it sees settings in the history and may ignore them.
        axes: Axes of the settings, at least one.
    """

    def __init__(self, proposer: Proposer, axes: Sequence[Axis]) -> None:
        self._proposer = proposer
        self._axes = tuple(axes)

    def propose(
        self, history: History, pending: Sequence[Proposal], count: int, seed: int
    ) -> list[Proposal]:
        """Return the proposer's launches, with settings."""
        chosen = self._proposer.propose(history, pending, count, seed)
        first = len(history.runs) + len(pending)
        return [drawn(p, self._axes, first + i, seed) for i, p in enumerate(chosen)]


def drawn(proposal: Proposal, axes: Sequence[Axis], number: int, seed: int) -> Proposal:
    """Return a launch with the settings that it can have, drawn evenly.

    Args:
        proposal: A launch without settings.
        axes: All axes of the sweep; may be empty.
        number: Number of launches before.
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
        number: Number of the point, from 0; it does not need the points before it.
        seed: Decides only the start of the sequence.

    References:
        Niederreiter (1992), Random number generation and quasi-Monte Carlo methods, ch. 3: a
        Kronecker sequence, with the steps of `front.simplex.even_simplex`, shifted as a whole by
        Cranley and Patterson's random shift (1976). Unlike a Sobol sequence it needs no scipy.
    """
    root = 2.0
    for _ in range(64):
        root = (1.0 + root) ** (1.0 / (dimensions + 1))
    start = rng_of(seed, "settings").random(dimensions)
    steps = root ** -np.arange(1, dimensions + 1, dtype=np.float64)
    place: FloatArray = (start + number * steps) % 1.0
    return place
