"""Weighted launches that open a sweep, before there is a front."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import comb

import numpy as np

from paretoflow.core.values import FloatArray, LaunchKind, Proposal, WeightVector
from paretoflow.front.simplex import das_dennis, even_simplex
from paretoflow.proposers.asked import Asked, seed_for
from paretoflow.proposers.spread import farthest_first
from paretoflow.proposers.wording import preference

LARGEST_LATTICE = 4096
"""Largest lattice of candidates beyond corners and centre; else as many even points are used."""

SPARE_SHARE = 4
"""Divisor of the budget: idle groups may spend a quarter of it on further weights while the opening
stage trains."""


def initial_count(m: int, initial: int | None) -> int:
    """Return the number of opening launches: `initial`; if unset, corners and centre."""
    return m + 1 if initial is None else initial


@lru_cache(maxsize=32)
def initial_weights(m: int, count: int) -> tuple[WeightVector, ...]:
    """Return the first `count` weights of a fixed order: corners, centre, then the farthest.

    By hand: m = 2 gives (1, 0), (0, 1), (.5, .5), (.25, .75), (.75, .25), …
    Up to the centre, permuting the objectives permutes the set.

    Args:
        m: Number of objectives.
        count: Number of weights; fewer than m leaves corners out.
    """
    corners = [WeightVector.one_hot(m, i) for i in range(m)]
    first = [*corners, WeightVector.of(np.ones(m))]
    if count > len(first):
        points = _candidates(m, count)
        taken = np.array([w.values for w in first])
        first += [WeightVector.of(points[i]) for i in farthest_first(points, taken, count - m - 1)]
    return tuple(first[:count])


def initial_launch(
    asked: Asked, count: int, names: Sequence[str], seed: int, proposer: str
) -> Proposal | None:
    """Return the next launch of the opening stage; None when the stage is complete.

    Weights that any weighted launch has tried, failed or not, are not launched again.

    Args:
        asked: Every launch so far.
        count: Length of the opening stage.
        names: Names of the m objectives.
        seed: Seed of the sweep.
        proposer: Tag of the proposer.
    """
    order = initial_weights(len(names), count)
    weights = next((w for w in order if not asked.has_tried(w.values)), None)
    if weights is None:
        return None
    return Proposal(
        kind=LaunchKind.WEIGHTED,
        weights=weights,
        seed=seed_for(seed, asked),
        reason=_reason(weights, names),
        proposer=proposer,
        tag="initial",
    )


def _reason(weights: WeightVector, names: Sequence[str]) -> str:
    if max(weights.values) == 1.0:
        name = names[int(np.argmax(weights.values))]
        return f"Opening stage: trains for {name} alone, to find how far it goes."
    return f"Opening stage: a preference between the extremes: {preference(weights, names)}."


def _candidates(m: int, count: int) -> FloatArray:
    """Return candidates between the corners, shape (k, m), at least four for each of `count`."""
    divisions = m
    # doubling keeps every coarser lattice inside, so a longer opening begins with the shorter one
    while comb(divisions + m - 1, m - 1) < 4 * count:
        divisions *= 2
    if comb(divisions + m - 1, m - 1) <= LARGEST_LATTICE:
        return das_dennis(m, divisions)
    return even_simplex(m, max(LARGEST_LATTICE, 4 * count))
