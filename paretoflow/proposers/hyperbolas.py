"""Fits hyperbolic tangents to changes over weights, several at a time, by robust least squares.

A decision of `pg_predict` makes dozens of fits, of four numbers each. The overhead of a general
solver dominates there; all fits of a policy at once take a tenth of the time.
"""

from __future__ import annotations

import numpy as np

from paretoflow.core.values import FloatArray

OUTLIER = 0.05
"""Size of a residual, as a share of the range, beyond which it counts less than its square."""
STEEPEST, FARTHEST = 20.0, 5.0
STEPS = 24
START = 1e-2
CONVERGED = 1e-3
"""Relative improvement of the loss below which a step is the last."""
EASIER, HARDER = 0.3, 4.0
"""Factors of the damping after a step that helped, and after one that did not."""


def hyperbola(x: FloatArray, parameters: FloatArray) -> FloatArray:
    """Return A (e^{a (x - b)} - 1) / (e^{a (x - b)} + 1) + c, shape (..., n).

    By hand: A = 2, a = ln 3, b = 0, c = 1 is 1 at x = 0 and 2 * (3 - 1) / (3 + 1) + 1 = 2 at 1.

    Args:
        x: Weights of the objectives, shape (..., n).
        parameters: A, a, b, c of each, shape (..., 4).
    """
    height, slope, centre, level = np.moveaxis(parameters[..., None, :], -1, 0)
    # the same as a hyperbolic tangent, which does not overflow
    return np.asarray(height * np.tanh(slope * (x - centre) / 2) + level, dtype=np.float64)


def fitted_hyperbolas(x: FloatArray, y: FloatArray, shares: FloatArray) -> FloatArray:
    """Return A, a, b, c of the hyperbola through each row of points, shape (k, 4).

    Levenberg and Marquardt's method within bounds, on the soft L1 loss 2 (sqrt(1 + r^2) - 1) of
    residuals r, which are in units of `OUTLIER`.

    Args:
        x: Weights of an objective, shape (k, n).
        y: Its changes, shape (k, n).
        shares: Factor of the residual of each point, shape (k, n); 0 leaves the point out.
    """
    unit = shares / OUTLIER
    counted = np.where(shares > 0, y, np.nan)
    height = np.maximum(np.nanmax(counted, axis=1) - np.nanmin(counted, axis=1), OUTLIER)
    level = np.clip(np.nanmedian(counted, axis=1), -FARTHEST, FARTHEST)
    ones = np.ones_like(height)
    found = np.stack([height / 2, 4.0 * ones, 0.5 * ones, level], axis=1)
    least = np.stack([0 * ones, 0.1 * ones, -FARTHEST * ones, (-FARTHEST - 1) * ones], axis=1)
    most = np.stack([height, STEEPEST * ones, FARTHEST * ones, (FARTHEST + 1) * ones], axis=1)
    damping = np.full(len(x), START)
    residuals = unit * (hyperbola(x, found) - y)
    loss = _soft(residuals)
    for _ in range(STEPS):
        step = _step(x, found, residuals, unit, damping)
        tried = np.clip(found + step, least, most)
        new = unit * (hyperbola(x, tried) - y)
        after = _soft(new)
        better = after < loss
        settled = np.where(better, loss - after <= CONVERGED * loss, damping > 1e6)
        found = np.where(better[:, None], tried, found)
        residuals = np.where(better[:, None], new, residuals)
        loss = np.where(better, after, loss)
        damping = damping * np.where(better, EASIER, HARDER)
        if settled.all():
            break
    return found


def _soft(residuals: FloatArray) -> FloatArray:
    return np.asarray(2 * (np.sqrt(1 + residuals**2) - 1).sum(axis=1), dtype=np.float64)


def _step(
    x: FloatArray, found: FloatArray, residuals: FloatArray, unit: FloatArray, damping: FloatArray
) -> FloatArray:
    """Return a damped Gauss-Newton step for each fit, shape (k, 4)."""
    height, slope, centre, _ = np.moveaxis(found[:, None, :], -1, 0)
    bend = np.tanh(slope * (x - centre) / 2)
    steep = height * (1 - bend**2) / 2
    columns = [bend, steep * (x - centre), -steep * slope, np.ones_like(x)]
    slopes = np.stack(columns, axis=2) * unit[:, :, None]
    # the weights of the loss: the influence of distant points is bounded
    weighted = slopes / np.sqrt(1 + residuals**2)[:, :, None]
    curvature = np.swapaxes(weighted, 1, 2) @ slopes
    pull = (weighted * residuals[:, :, None]).sum(axis=1)
    diagonal = np.diagonal(curvature, axis1=1, axis2=2) + 1e-6
    damped = curvature + damping[:, None, None] * (diagonal[:, :, None] * np.eye(4))
    return np.asarray(-np.linalg.solve(damped, pull[:, :, None])[:, :, 0], dtype=np.float64)
