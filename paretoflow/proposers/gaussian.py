"""Gaussian processes that predict the outcomes of untried launches, one for each outcome.

Inputs are points that the caller has scaled to [0, 1] in every dimension: weights, or weights with
settings. Each outcome has its own kernel (`kernels`).

References:
    Rasmussen and Williams 2006, Gaussian Processes for Machine Learning: alg. 2.1 (posterior), sec.
    2.7 (prior of the mean). Departure: if there are many points, the posterior uses a well spread
    part of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paretoflow.core.values import FloatArray
from paretoflow.proposers.kernels import Kernel, fitted_kernel, spread_part

POSTERIOR_POINTS = 256
"""Largest number of points that a posterior uses."""


@dataclass(frozen=True)
class GaussianProcess:
    """Posterior of one outcome, given some of its values.

    By hand: a kernel of variance 1 and nugget 1 about a mean of 0, and one value of 2, known
    exactly. There the mean is 2 * 1 / (1 + 1) = 1 and the variance 1 - 1 / (1 + 1) = 1/2; far away
    they are 0 and 1.

    Args:
        kernel: The kernel.
        inputs: Inputs of the known values, shape (n, d).
        outcomes: The known values, shape (n,).
        noise: Variances of their evaluations, shape (n,); the nugget is added.
        root: Lower Cholesky factor of the values' covariance, shape (n, n).
        pull: That covariance's inverse times the values' distances from the mean, shape (n,).
    """

    kernel: Kernel
    inputs: FloatArray
    outcomes: FloatArray
    noise: FloatArray
    root: FloatArray
    pull: FloatArray

    @classmethod
    def fitted(
        cls, inputs: FloatArray, outcomes: FloatArray, stderr: FloatArray
    ) -> GaussianProcess:
        """Choose a kernel and condition on the values.

        Args:
            inputs: Shape (n, d), in [0, 1]; copies are allowed, and n may be 0.
            outcomes: Shape (n,).
            stderr: Standard errors of the outcomes, shape (n,); 0 where exact.
        """
        kept = spread_part(inputs, POSTERIOR_POINTS)
        inputs, outcomes, stderr = inputs[kept], outcomes[kept], stderr[kept]
        kernel = fitted_kernel(inputs, outcomes, stderr)
        return cls.conditioned(kernel, inputs, outcomes, stderr)

    @classmethod
    def conditioned(
        cls, kernel: Kernel, inputs: FloatArray, outcomes: FloatArray, stderr: FloatArray
    ) -> GaussianProcess:
        """Return the posterior under a given kernel; arguments as for `fitted`."""
        from scipy.linalg import cho_solve

        noise = stderr**2
        covariance = kernel.covariance(inputs, inputs) + np.diag(noise + kernel.nugget)
        root = np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)
        pull = cho_solve((root, True), outcomes - kernel.mean, check_finite=False)
        return cls(kernel, inputs, outcomes, noise, root, np.asarray(pull, dtype=np.float64))

    def predicted(self, where: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation at inputs (q, d), each of shape (q,).

        They describe the average result of training: the deviation includes neither the nugget nor
        the noise of an evaluation.
        """
        across = self.kernel.covariance(self.inputs, where)
        known = self._whitened(across)
        prior = self.kernel.mean_variance + self.kernel.variance
        variance = prior - (known**2).sum(axis=0)
        return self.kernel.mean + across.T @ self.pull, np.sqrt(np.maximum(variance, 0.0))

    def joint(self, where: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the means, (q,), and the covariance, (q, q), at inputs (q, d)."""
        across = self.kernel.covariance(self.inputs, where)
        known = self._whitened(across)
        covariance = self.kernel.covariance(where, where) - known.T @ known
        return self.kernel.mean + across.T @ self.pull, covariance

    def attained(self) -> FloatArray:
        """Return the estimated true outcomes of the trained runs, shape (n,).

        The expected error of the evaluation, s^2 times the pull, is subtracted; the luck that is
        left is the run's own, the nugget. Exact values do not change.

        By hand, as above: a value of 2 with a standard error of 1 under nugget 0 is attained at 1.
        """
        return self.outcomes - self.noise * self.pull

    def believing(self, where: FloatArray) -> GaussianProcess:
        """Return the process given its own means at inputs (q, d) as values, with typical noise.

        The mean does not change anywhere; the deviation near those inputs falls.
        """
        if not len(where):
            return self
        means, _ = self.predicted(where)
        typical = self.noise.mean() if len(self.noise) else 0.0
        return GaussianProcess.conditioned(
            self.kernel,
            np.vstack([self.inputs, where]),
            np.append(self.outcomes, means),
            np.sqrt(np.append(self.noise, np.full(len(where), typical))),
        )

    def _whitened(self, across: FloatArray) -> FloatArray:
        from scipy.linalg import solve_triangular

        solved = solve_triangular(self.root, across, lower=True, check_finite=False)
        return np.asarray(solved, dtype=np.float64)


@dataclass(frozen=True)
class GainModel:
    """A process for each of m objectives over the same launches.

    Args:
        processes: Length m.
    """

    processes: tuple[GaussianProcess, ...]

    @classmethod
    def fitted(cls, inputs: FloatArray, gains: FloatArray, stderr: FloatArray) -> GainModel:
        """Fit a process for each objective.

        Args:
            inputs: Shape (n, d), in [0, 1].
            gains: Shape (n, m).
            stderr: Standard errors, shape (n, m).
        """
        columns = zip(gains.T, stderr.T, strict=True)
        return cls(tuple(GaussianProcess.fitted(inputs, g, e) for g, e in columns))

    def predicted(self, where: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return means and standard deviations at inputs (q, d), each of shape (q, m)."""
        pairs = [process.predicted(where) for process in self.processes]
        return np.stack([m for m, _ in pairs], axis=1), np.stack([s for _, s in pairs], axis=1)

    def attained(self) -> FloatArray:
        """Return the estimated true outcomes of the runs, shape (n, m), believed ones last."""
        return np.stack([process.attained() for process in self.processes], axis=1)

    def believing(self, where: FloatArray) -> GainModel:
        """Return the model given its own means at pending launches, inputs (q, d), as values."""
        return GainModel(tuple(process.believing(where) for process in self.processes))
