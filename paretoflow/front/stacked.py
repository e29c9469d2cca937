"""Points and hypervolumes of many fronts of the same points at once.

A bootstrap redraws a front a thousand times. Up to three objectives, all volumes are computed at
once and exactly; beyond, `sampled` estimates them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paretoflow.core.values import FloatArray
from paretoflow.front.sampled import sampled_hypervolumes, sampled_subsets

EXACT_OBJECTIVES = 3
"""Number of objectives up to which every volume is exact."""

Mask = NDArray[np.bool_]


def redrawn_means(clouds: FloatArray, draws: int, seed: int) -> FloatArray:
    """Return the means over redrawn prompts; each draw has the same prompts for all points.

    Args:
        clouds: Oriented score of every prompt for every point, shape (k, m, n).
        draws: Number of draws.
        seed: With n it decides the draws.

    Returns:
        Shape (draws, k, m).
    """
    n = clouds.shape[2]
    # a mean depends only on how often each prompt is drawn
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws)
    return np.asarray(np.einsum("kmn,dn->dkm", clouds, counts / n, optimize=True), dtype=np.float64)


def stacked_fronts(stack: FloatArray) -> Mask:
    """Return a mask of the non-dominated points of each front; equal points both stay.

    By hand: of the fronts ((1, 2), (2, 1)) and ((1, 1), (2, 1)) the first keeps both points, the
    second its last.

    Args:
        stack: Oriented gains, shape (d, k, m).

    Returns:
        Mask, shape (d, k).
    """
    d, k, _ = stack.shape
    places = np.ascontiguousarray(stack.transpose(2, 1, 0))
    keeps = np.ones((k, d), dtype=np.bool_)
    for i in range(k):
        # a point that is behind in one objective in every front can be left out at once
        able = np.flatnonzero((places >= places[:, i : i + 1]).any(axis=2).all(axis=0))
        reaches = np.logical_and.reduce([p[able] >= p[i] for p in places])
        passes = np.logical_or.reduce([p[able] > p[i] for p in places])
        keeps[i] = ~(reaches & passes).any(axis=0)
    return keeps.T


def stacked_hypervolumes(
    stack: FloatArray, observed: FloatArray, ref: FloatArray, *, seed: int = 0
) -> FloatArray:
    """Return the hypervolume of each front.

    By hand: against (0, 0) the fronts ((2, 1), (1, 2)) and ((2, 1), (0, 0)) are worth 3 and 2.

    Args:
        stack: Oriented gains, shape (d, k, m); a point at the reference point adds nothing.
        observed: Gains that the fronts are redrawn from, shape (k, m).
        ref: Oriented reference point, shape (m,).
        seed: Seed of the random points that estimate volumes of many objectives.

    Returns:
        Hypervolumes, shape (d,).
    """
    if stack.shape[2] > EXACT_OBJECTIVES:
        return sampled_hypervolumes(stack, observed, ref, seed=seed)
    beyond = np.maximum(stack - ref, 0.0)
    beyond[(stack <= ref).any(axis=2)] = 0.0
    if stack.shape[2] == 1:
        return np.asarray(beyond[:, :, 0].max(axis=1, initial=0.0), dtype=np.float64)
    return _areas(beyond) if stack.shape[2] == 2 else _volumes(beyond)


def members_hypervolumes(
    stack: FloatArray, members: Mask, observed: FloatArray, ref: FloatArray, *, seed: int = 0
) -> FloatArray:
    """Return the hypervolume of each front, given the mask of its non-dominated points.

    Faster than `stacked_hypervolumes`, since dominated points add nothing and are left out.

    By hand: of ((2, 1), (1, 2), (0, 0)) the first two; against (0, 0) they are worth 3.

    Args:
        stack: Oriented gains, shape (d, k, m).
        members: Mask from `stacked_fronts`, shape (d, k).
        observed: Gains that the fronts are redrawn from, shape (k, m).
        ref: Oriented reference point, shape (m,).
        seed: As in `stacked_hypervolumes`.

    Returns:
        Hypervolumes, shape (d,).
    """
    if stack.shape[2] > EXACT_OBJECTIVES:
        return sampled_hypervolumes(stack, observed, ref, seed=seed)
    most = int(members.sum(axis=1).max(initial=0))
    first = np.argsort(~members, axis=1, kind="stable")[:, :most]
    points = np.take_along_axis(stack, first[:, :, None], axis=1)
    kept = np.take_along_axis(members, first, axis=1)
    return stacked_hypervolumes(np.where(kept[:, :, None], points, ref), observed, ref)


def subset_hypervolumes(
    points: FloatArray, members: Mask, ref: FloatArray, *, seed: int = 0
) -> FloatArray:
    """Return the hypervolume of each of many subsets of the same points.

    By hand: of (2, 1) and (1, 2) against (0, 0) both are worth 3, and either alone 2.

    Args:
        points: Oriented gains, shape (k, m).
        members: Mask of the points of each subset, shape (d, k).
        ref: Oriented reference point, shape (m,).
        seed: Seed of the random points that estimate volumes of many objectives.

    Returns:
        Hypervolumes, shape (d,). Beyond three objectives the volume of all points is exact, and
        the loss of a subset is estimated, as in `sampled_subsets`.
    """
    if points.shape[1] > EXACT_OBJECTIVES:
        return sampled_subsets(points, members, ref, seed=seed)
    stack = np.broadcast_to(points, (len(members), *points.shape))
    return members_hypervolumes(stack, members, points, ref)


def _areas(beyond: FloatArray) -> FloatArray:
    """Return areas of staircases: each step, widest first, is as high as the highest so far."""
    order = np.argsort(-beyond[:, :, 0], axis=1)
    widths, heights = (np.take_along_axis(beyond[:, :, j], order, axis=1) for j in (0, 1))
    return _under_stairs(_steps(widths).T, np.ascontiguousarray(heights.T))


def _volumes(beyond: FloatArray) -> FloatArray:
    """Return volumes: slices along the last objective, each a staircase of points that reach it.

    References:
        Fonseca, Paquete and Lopez-Ibanez (2006), An improved dimension-sweep algorithm for the
        hypervolume indicator, for the sweep. Ours sweeps all fronts together, and computes each
        slice from scratch.
    """
    order = np.argsort(-beyond[:, :, 0], axis=1)
    widths, heights, depths = (
        np.ascontiguousarray(np.take_along_axis(beyond[:, :, j], order, axis=1).T) for j in range(3)
    )
    levels = np.ascontiguousarray(-np.sort(-depths, axis=0))
    steps, thicknesses = _steps(widths.T).T, _steps(levels.T).T
    total = np.zeros(beyond.shape[0])
    for level, thickness in zip(levels, thicknesses, strict=True):
        total += thickness * _under_stairs(steps, np.where(depths >= level, heights, 0.0))
    return total


def _steps(falling: FloatArray) -> FloatArray:
    """Return the difference of each number of a row and the next; of the last number and 0."""
    return np.asarray(falling - np.pad(falling[:, 1:], ((0, 0), (0, 1))), dtype=np.float64)


def _under_stairs(steps: FloatArray, heights: FloatArray) -> FloatArray:
    """Return areas from widths of steps and heights of points, both of shape (k, d)."""
    tops = np.maximum.accumulate(heights, axis=0)
    return np.asarray(np.einsum("kd,kd->d", steps, tops), dtype=np.float64)
