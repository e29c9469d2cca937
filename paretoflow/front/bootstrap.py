"""The hypervolume interval that earlier versions wrote into exports, kept to check those exports.

It redraws prompts for the selected points only, which makes it too high: see `worth`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from paretoflow.core.errors import NonFiniteError, ShapeError
from paretoflow.core.values import FloatArray
from paretoflow.front.checks import vector
from paretoflow.front.hypervolume import hypervolume
from paretoflow.front.sampled import sampled_hypervolumes
from paretoflow.front.stacked import redrawn_means

EXACT_OBJECTIVES = 4
"""Number of objectives up to which every volume is exact; beyond, see `sampled_hypervolumes`."""


def hypervolume_interval(
    prompt_gains: ArrayLike,
    ref: ArrayLike,
    *,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Return a percentile bootstrap interval of the hypervolume over eval prompts.

    Each draw takes n prompts with replacement, the same ones for all points and objectives, since
    all were scored on the same prompts. It then averages the scores and measures the volume that
    the means dominate.

    The interval covers the choice of prompts only. It does not cover seeds of training. Picking the
    best of noisy points also makes the hypervolume too high (selection bias of the maximum);
    resampling does not remove that.

    Args:
        prompt_gains: Oriented score of every prompt for every point of the front, shape (k, m, n).
        ref: Oriented reference point, shape (m,).
        draws: Number of bootstrap draws, at least 1.
        level: Share of the draws that the interval holds, in (0, 1).
        seed: Seed of the draws.

    Returns:
        Lower and upper end, in the product of the objectives' units; (0.0, 0.0) when k = 0.

    Raises:
        ShapeError: If `prompt_gains` is not of shape (k, m, n) with n at least 1, `ref` does not
            fit, `draws` is below 1 or `level` is not in (0, 1).
        NonFiniteError: If either holds nan or infinity; names the points.

    References:
        Efron (1979), Bootstrap methods: another look at the jackknife; the percentile interval.
    """
    if draws < 1 or not 0 < level < 1:
        raise ShapeError(f"draws must be at least 1 and level in (0, 1), got {draws} and {level}")
    volumes = drawn_hypervolumes(prompt_gains, ref, draws=draws, seed=seed)
    low, high = np.quantile(volumes, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def drawn_hypervolumes(
    prompt_gains: ArrayLike, ref: ArrayLike, *, draws: int = 1000, seed: int = 0
) -> FloatArray:
    """Return the hypervolume of every bootstrap draw over eval prompts, shape (draws,).

    The same seed and number of prompts draw the same prompts, so the volumes of two fronts that
    were scored on the same prompts are paired, draw by draw.

    Args:
        prompt_gains: Oriented score of every prompt for every point, shape (k, m, n).
        ref: Oriented reference point, shape (m,).
        draws: Number of draws.
        seed: Seed of the draws.

    Raises:
        ShapeError: If `prompt_gains` is not of shape (k, m, n) with n at least 1, or `ref` does not
            fit.
        NonFiniteError: If either holds nan or infinity; names the points.
    """
    array = np.asarray(prompt_gains, dtype=np.float64)
    if array.ndim == 3 and len(array) == 0:
        return np.zeros(draws)
    _refuse(array)
    point = vector(ref, array.shape[1], "the reference point")
    fronts = redrawn_means(array, draws, seed)
    if array.shape[1] > EXACT_OBJECTIVES:
        return sampled_hypervolumes(fronts, array.mean(axis=2), point, seed=seed)
    return np.array([hypervolume(means, point) for means in fronts])


def _refuse(array: FloatArray) -> None:
    if array.ndim != 3 or array.size == 0:
        raise ShapeError(f"prompt_gains must have shape (k, m, n) with n >= 1, got {array.shape}")
    finite = np.isfinite(array).all(axis=(1, 2))
    if not finite.all():
        raise NonFiniteError(
            "prompt_gains must be finite, got nan or infinity in points "
            f"{np.flatnonzero(~finite).tolist()}"
        )
