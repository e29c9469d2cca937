"""Kernels of Gaussian processes: the speed at which an outcome changes over launches, and noise.

A kernel is a constant with a wide prior, plus a Matérn-5/2 process with a length scale in each
dimension, plus noise. The noise is an evaluation's standard error, and a nugget for the change by
training the same launch with another seed.

References:
    Rasmussen and Williams 2006, Gaussian Processes for Machine Learning: eq. 4.17 (Matérn), eq. 5.9
    (gradient of the evidence).
    Departures: (1) the kernel's numbers maximise evidence times a log-normal prior, which prevents
    too much certainty or doubt from a handful of points; (2) if there are many points, a well
    spread part of them chooses the kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from paretoflow.core.values import FloatArray, IntArray
from paretoflow.proposers.spread import farthest_first

KERNEL_POINTS = 64
"""Largest number of points that choose a kernel's numbers: the time of a step grows as its cube."""
STEPS = 25
"""Number of steps of the search for the kernel's numbers, from each start."""
FLAT = 1e-9
"""Spread below which an outcome has no scale of its own and is not standardised."""
LENGTH, VARIANCE, NUGGET = (0.5, 1.0), (1.0, 1.0), (1e-3, 2.0)
"""Log-normal priors: median and standard deviation of the logarithm. Lengths are in the unit box,
and grow with the root of its dimensions as distances do; the others are shares of the variance of
the outcomes."""
LENGTHS, VARIANCES, NUGGETS = (0.02, 20.0), (1e-3, 20.0), (1e-5, 1.0)
"""Ranges of these numbers."""
STARTS = ((1.0, 1.0), (0.3, 0.03))
"""Starts of the search: factors of the median length and nugget."""
KNOWN_SEARCHES = 32
"""Number of searches whose kernels are cached."""
ROOT5 = 5.0**0.5


@dataclass(frozen=True)
class Kernel:
    """The numbers of a process, in the outcome's own units.

    Args:
        lengths: Length scale in each dimension, shape (d,).
        variance: Variance of the process about its mean.
        nugget: Variance from one training to the next, beside the evaluation's.
        mean: Prior mean.
        mean_variance: Variance of the prior mean.
    """

    lengths: FloatArray
    variance: float
    nugget: float
    mean: float = 0.0
    mean_variance: float = 0.0

    def covariance(self, first: FloatArray, second: FloatArray) -> FloatArray:
        """Return covariances without noise, shape (n, q), of inputs (n, d) and (q, d)."""
        return self.mean_variance + self.variance * matern(first, second, self.lengths)


def matern(first: FloatArray, second: FloatArray, lengths: FloatArray) -> FloatArray:
    """Return Matérn-5/2 correlations of inputs (n, d) and (q, d), shape (n, q).

    By hand: one length apart it is (1 + sqrt(5) + 5/3) exp(-sqrt(5)) = 0.5240.
    """
    gaps = (first[:, None, :] - second[None, :, :]) / lengths
    far = ROOT5 * np.sqrt((gaps**2).sum(axis=2))
    return np.asarray((1 + far + far**2 / 3) * np.exp(-far), dtype=np.float64)


def fitted_kernel(inputs: FloatArray, outcomes: FloatArray, stderr: FloatArray) -> Kernel:
    """Return the kernel of largest evidence times prior; arguments as for `fitted`."""
    return _searched(inputs.shape[1], inputs.tobytes(), outcomes.tobytes(), stderr.tobytes())


@lru_cache(maxsize=KNOWN_SEARCHES)
def _searched(dimensions: int, *known: bytes) -> Kernel:
    """Search for the kernel; cached, since a decision often has the same data as the one before."""
    from scipy.optimize import minimize

    inputs, outcomes, stderr = (np.frombuffer(each, dtype=np.float64) for each in known)
    inputs = inputs.reshape(-1, dimensions)
    centre = float(outcomes.mean()) if len(outcomes) else 0.0
    spread = float(outcomes.std()) if len(outcomes) else 0.0
    scale = spread if spread > FLAT else 1.0
    part = spread_part(inputs, KERNEL_POINTS)
    evidence = Evidence(inputs[part], (outcomes[part] - centre) / scale, stderr[part] / scale)
    limits = [np.log(b) for b in [LENGTHS] * dimensions + [VARIANCES, NUGGETS]]
    lowest, best = np.inf, evidence.median
    for length, nugget in STARTS if len(outcomes) > 1 else ():
        factors = [length] * dimensions + [1.0, nugget]
        start = np.clip(evidence.median + np.log(factors), *np.transpose(limits))
        options = {"maxiter": STEPS}
        found = minimize(evidence.loss, start, jac=True, bounds=limits, options=options)
        if found.fun < lowest:
            lowest, best = float(found.fun), np.asarray(found.x, dtype=np.float64)
    numbers = np.exp(best)
    return Kernel(
        lengths=numbers[:-2],
        variance=float(numbers[-2]) * scale**2,
        nugget=float(numbers[-1]) * scale**2,
        mean=centre,
        mean_variance=scale**2,
    )


class Evidence:
    """Evidence of kernels, given standardised values; the mean has a standard normal prior.

    Args:
        inputs: Shape (n, d).
        outcomes: Standardised, shape (n,).
        stderr: Standard errors on the same scale, shape (n,).
    """

    def __init__(self, inputs: FloatArray, outcomes: FloatArray, stderr: FloatArray) -> None:
        gaps = inputs.T[:, :, None] - inputs.T[:, None, :]
        self._squares = gaps**2
        self._outcomes = outcomes
        self._variances = stderr**2
        length = (LENGTH[0] * inputs.shape[1] ** 0.5, LENGTH[1])
        priors: Sequence[tuple[float, float]] = [length] * inputs.shape[1] + [VARIANCE, NUGGET]
        self.median: FloatArray = np.log([median for median, _ in priors])
        self._widths = np.array([width for _, width in priors])

    def loss(self, logs: FloatArray) -> tuple[float, FloatArray]:
        """Return minus the logarithm of evidence times prior, up to a constant, and its gradient.

        Args:
            logs: Logarithms of the lengths, the variance and the nugget, shape (d + 2,).
        """
        from scipy.linalg import cho_solve

        scaled = self._squares / np.exp(2 * logs[:-2])[:, None, None]
        variance, nugget = np.exp(logs[-2:])
        far = ROOT5 * np.sqrt(scaled.sum(axis=0))
        fall = variance * np.exp(-far)
        process = fall * (1 + far + far**2 / 3)
        root = np.linalg.cholesky(1 + process + np.diag(self._variances + nugget))
        inverse = cho_solve((root, True), np.eye(len(root)), check_finite=False)
        pull = inverse @ self._outcomes
        steep = (inverse - np.outer(pull, pull)) / 2
        slopes = np.concatenate(
            [
                np.tensordot(scaled, steep * fall * (1 + far) * (5 / 3), axes=2),
                [(steep * process).sum(), nugget * np.trace(steep)],
            ]
        )
        off = (logs - self.median) / self._widths
        fit = self._outcomes @ pull / 2 + np.log(np.diag(root)).sum()
        return float(fit + off @ off / 2), slopes + off / self._widths


def spread_part(inputs: FloatArray, most: int) -> IntArray:
    """Return indices of at most `most` inputs (n, d), far from each other; all if there are few."""
    if len(inputs) <= most:
        return np.arange(len(inputs))
    apart = farthest_first(inputs, inputs[:0], most)
    left = np.setdiff1d(np.arange(len(inputs)), apart)[: most - len(apart)]
    return np.sort(np.append(apart, left))
