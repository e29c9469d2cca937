"""Merge launches: their parents, their coefficients, and the weights that they represent."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from paretoflow.core.merge import Merge
from paretoflow.core.values import FloatArray, LaunchKind, Proposal, WeightVector
from paretoflow.front.simplex import lattice_at_least, spread_order
from paretoflow.proposers.experts import Expert

DECIMALS = 6
"""Decimals to which coefficients are rounded, so that equal choices compare equal."""
Options = dict[str, float | int | str]


def mixture_weights(coefficients: FloatArray, towards: Sequence[WeightVector]) -> WeightVector:
    """Return the weights that a mixture represents: its parents' weights, mixed likewise.

    By hand: (0.2, 0.6) of parents for (1, 0) and (0, 1) represents (0.25, 0.75).

    Args:
        coefficients: Non-negative with a positive sum, shape (k,).
        towards: The parents' weights, length k.
    """
    return WeightVector.of(coefficients @ np.array([w.values for w in towards]))


@lru_cache(maxsize=16)
def grid(count: int, points: int) -> tuple[tuple[float, ...], ...]:
    """Return coefficients that sum to one, from coarse to fine, without the corners.

    By hand: two experts and three points give (.5, .5), (.25, .75), (.75, .25).

    Args:
        count: Number of experts.
        points: Number of mixtures.
    """
    lattice = lattice_at_least(count, count + points)
    inner = [lattice[i] for i in spread_order(lattice) if lattice[i].max() < 1.0]
    return tuple(tuple(np.round(c, DECIMALS).tolist()) for c in inner[:points])


def merge_of(
    how: str, experts: Sequence[Expert], coefficients: Sequence[float], options: Options
) -> Merge:
    """Return a merge of experts' final adapters.

    Args:
        how: Tag of the merging method.
        experts: All ready, length k.
        coefficients: Length k; an expert with coefficient 0 is left out.
        options: Further options of the merging method.
    """
    kept = [i for i, c in enumerate(coefficients) if c != 0]
    return Merge(
        how,
        tuple(experts[i].snapshots[-1] for i in kept),
        tuple(float(coefficients[i]) for i in kept),
        tuple(sorted(options.items())),
    )


def merges_asked(launches: Sequence[Proposal]) -> set[tuple[Merge, tuple[float, ...]]]:
    """Return all merges among launches, each with the weights that it represents."""
    return {(p.merge, p.weights.values) for p in launches if p.merge is not None}


def merge_launch(
    merge: Merge, weights: WeightVector, run_seed: int, reason: str, names: tuple[str, str]
) -> Proposal:
    """Return a merge launch.

    Args:
        merge: Parents and coefficients.
        weights: Weights that the mixture represents.
        run_seed: Seed of the launch.
        reason: Reason for this mixture, in words.
        names: Tags of the proposer, and of the stage.
    """
    return Proposal(
        kind=LaunchKind.MERGE,
        weights=weights,
        seed=run_seed,
        reason=reason,
        proposer=names[0],
        tag=names[1],
        merge=merge,
    )
