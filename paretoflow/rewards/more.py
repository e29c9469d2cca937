"""MORE's weights of several objectives' losses, from their gradients in the reward head.

Pure arrays; the trainer brings the gradients.
"""

from __future__ import annotations

import numpy as np

from paretoflow.core.values import FloatArray
from paretoflow.methods.gradients.combiners.mgda import least_norm


class MoreWeights:
    """Weights losses so that their mixed running gradient is shortest.

    Running gradients m <- (1 - alpha) m + alpha g, each scaled to length one; lambda is the point
    of least norm in their hull. By hand: alpha = 1 and gradients (1, 0), (0.6, 0.8), (0.6, -0.8)
    have their least norm at (0.6, 0), so lambda = (0, 1/2, 1/2). Unscaled, (2, 0) and (0, 1) give
    (0.2, 0.8). A gradient of zero, which has no direction, gives equal weights.

    Two gradients of length one always get equal weights: with two objectives the paper's rule is
    the plain sum, unless `normalise=False`.

    Args:
        alpha: Share of the newest gradient.
        normalise: Whether gradients are scaled.

    References:
        Zeng et al. 2023 (MORE), arXiv 2312.07401: alpha = 0.99, l2 normalisation. Departure: the
        point of least norm is exact, by faces of the simplex, in place of Frank-Wolfe.
    """

    def __init__(self, alpha: float, *, normalise: bool = True) -> None:
        self._alpha, self._normalise = alpha, normalise
        self._mean: FloatArray | None = None

    def update(self, gradients: FloatArray) -> FloatArray:
        """Take in the newest gradients, shape (n, d); return lambda on the simplex, shape (n,)."""
        before = np.zeros_like(gradients) if self._mean is None else self._mean
        self._mean = (1 - self._alpha) * before + self._alpha * gradients
        norms = np.linalg.norm(self._mean, axis=1, keepdims=True)
        if not norms.all():
            return np.full(len(gradients), 1 / len(gradients))
        directions = self._mean / norms if self._normalise else self._mean
        return least_norm(directions @ directions.T)
