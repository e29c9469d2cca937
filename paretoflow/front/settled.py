"""Estimates of where policies truly are: policies that scores cannot distinguish lie together.

Means of noisy scores lie farther apart than the policies themselves: three evaluations of one
policy have three means. If prompts are redrawn around these means, the luckiest evaluation keeps
its lead, and half of its luck goes unnoticed. So each mean is moved towards the means that it
cannot be distinguished from, and prompts are redrawn around the moved means.
"""

from __future__ import annotations

import numpy as np

from paretoflow.core.values import FloatArray

_AT_ONCE = 64
_LEAST = 1e-100
"""Smallest variance that is inverted."""


def settled_means(clouds: FloatArray, passes: int) -> FloatArray:
    """Return means moved towards each other where the scores do not distinguish them.

    Each mean becomes a weighted mean of all means. A weight is the likelihood of so large a
    difference between two evaluations of one policy, to a power that depends on m alone. The power
    is such that two evaluations of one policy have weight one half on average. The differences are
    paired over prompts. Rows that are equal in every score count as one evaluation.

    By hand: policies that are many standard errors apart stay where they are, and so do those with
    equal means; of three evaluations of one policy each goes a third to half of the way to the mean
    of the others.

    Args:
        clouds: Oriented score of every prompt for every evaluation, shape (k, m, n).
        passes: Number of passes; a later pass starts from the means of the one before.

    Returns:
        Shape (k, m).

    References:
        Fukunaga and Hostetler (1975), The estimation of the gradient of a density function, IEEE
        Trans. Inf. Theory 21, for the shift of a point to the mean around it; as an estimate of
        where noisy means truly are, Robbins (1956), An empirical Bayes approach to statistics.
        Ours: the bandwidth is the standard error of the paired difference, and few passes.
    """
    if passes == 0 or len(clouds) == 1:
        return np.asarray(clouds.mean(axis=2))
    flat, back = np.unique(clouds.reshape(len(clouds), -1), axis=0, return_inverse=True)
    looks = flat.reshape(-1, *clouds.shape[1:])
    own = looks.mean(axis=2)
    precisions = _precisions(looks - own[:, :, None])
    # two evaluations of one policy differ by a chi-squared: exp(-q / 2 reach) is a half in the mean
    reach = 1 / (4 ** (1 / clouds.shape[1]) - 1)
    places = own
    for _ in range(passes):
        apart = own[:, None] - places[None]
        far = np.einsum("ija,ijab,ijb->ij", apart, precisions, apart, optimize=True)
        np.fill_diagonal(far, 0.0)
        weights = np.exp(-far / (2 * reach))
        places = weights @ places / weights.sum(axis=1, keepdims=True)
    return np.asarray(places[back.reshape(-1)], dtype=np.float64)


def _precisions(centred: FloatArray) -> FloatArray:
    """Return the inverse covariance of the difference of each two means, shape (k, k, m, m).

    Two evaluations that differ by the same amount on every prompt have almost no variance, so
    their difference is certain.
    """
    k, m, n = centred.shape
    found = np.empty((k, k, m, m))
    least = np.diag(np.maximum(centred.var(axis=(0, 2)) * 1e-9 / n, _LEAST))
    for start in range(0, k, _AT_ONCE):
        apart = centred[start : start + _AT_ONCE, None] - centred[None]
        covariance = np.einsum("ijan,ijbn->ijab", apart, apart, optimize=True) / (n * (n - 1))
        found[start : start + _AT_ONCE] = np.linalg.inv(covariance + least)
    return found
