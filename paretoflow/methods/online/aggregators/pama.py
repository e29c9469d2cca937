"""PAMA: the combination of advantages with the smallest joint step, in closed form.

Also `pama_scalar`, the paper read literally: one number for all tokens of all answers.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from paretoflow.core.launch import Launch
from paretoflow.core.values import FloatArray
from paretoflow.methods.online.aggregators.base import Aggregator, RewardBatch
from paretoflow.methods.training.context import MethodContext
from paretoflow.spec.methods.aggregators import PamaScalarSpec, PamaSpec

_FAR = 500.0
"""Bound of exponents, in units of the distance to the target, so that exp stays finite."""


def min_norm_coefficients(levels: FloatArray) -> FloatArray:
    """Return a minimiser c of (sum_i c_i a_i)^2 over the simplex, shape (m,).

    The value c.a is the projection of 0 on [min a, max a]: where all levels are positive all weight
    is on the smallest, where all are negative on the largest, and where 0 lies between them the
    extremes a_low < 0 < a_high have the shares c_low = a_high / (a_high - a_low) and 1 - c_low.
    Equal extremes share equally.

    By hand: (-1, 3, 2) gives (0.75, 0.25, 0), value 0; (2, 1, 4) gives (0, 1, 0), value 1.

    Args:
        levels: One number a_i for each objective, shape (m,).
    """
    low, high = float(levels.min()), float(levels.max())
    lowest, highest = levels == low, levels == high
    if low >= 0:
        share = 1.0
    elif high <= 0:
        share = 0.0
    else:
        share = high / (high - low)
    coefficients: FloatArray = share * lowest / lowest.sum()
    return coefficients + (1 - share) * highest / highest.sum()


def token_means(advantages: FloatArray, lengths: FloatArray) -> FloatArray:
    """Return each objective's advantage averaged over tokens, shape (m,).

    By hand: advantages 1 and 4 of answers with 2 and 1 tokens: (2 + 4) / 3 = 2.

    Args:
        advantages: Advantages of whole answers, shape (b, g, m).
        lengths: Tokens of each answer, shape (b, g); an empty batch of tokens counts as one each.
    """
    counts = lengths if lengths.sum() > 0 else np.ones_like(lengths)
    means: FloatArray = (advantages * counts[..., None]).sum(axis=(0, 1)) / counts.sum()
    return means


def objective_levels(
    batch: RewardBatch, taking_part: NDArray[np.bool_], *, noon: bool
) -> tuple[FloatArray, FloatArray]:
    """Return the advantages of the objectives that take part, and their means over tokens.

    Args:
        batch: The samples.
        taking_part: True for the k objectives that take part, shape (m,).
        noon: Whether negative advantages count as 0.

    Returns:
        Advantages, shape (b, g, k), and means, shape (k,).
    """
    advantages = batch.objective_advantages()[..., taking_part]
    if noon:
        advantages = np.maximum(advantages, 0.0)
    return advantages, token_means(advantages, batch.lengths.astype(np.float64))


def progress(rewards: FloatArray, targets: FloatArray) -> FloatArray:
    """Return the progress of each objective as a positive, increasing number, shape (m,).

    exp(z_i / t_i) with z_i the mean reward of the batch and t_i the target, both counted from the
    base's mean: 1 at the base, e at the target, near 0 far below the base. So gains, which
    normalised advantages have lost, decide which objective lags, and the ratio of two levels shows
    how much more of its distance one has covered. By hand: mean rewards (0.5, -1), targets (1, 2):
    e^0.5 = 1.6487 and e^-0.5 = 0.6065, the second lags.

    Args:
        rewards: In units that make objectives comparable, shape (b, g, m).
        targets: Positive, shape (m,).
    """
    # clipped: far below the base all levels would be 0, and none would lag
    levels: FloatArray = np.exp(np.clip(rewards.mean(axis=(0, 1)) / targets, -_FAR, _FAR))
    return levels


class Pama(Aggregator):
    """Trains on sum_i c*_i A_i with c* the min-norm coefficients of the objectives' levels.

    The levels are each objective's progress towards the scores of the base's best answers to the
    prompts (`progress`), or, with `levels: advantages`, the means of its advantages as published.
    Both are at least 0 (the latter under Noon), so c* picks the most lagging objective; where all
    its advantages are 0, no step is made: the batch is declared stationary. Objectives without
    weight take no part.

    References:
        He and Maghsudi 2025, arXiv 2508.07768 (PAMA), from a note on its formulas. Departures: (1)
        this is the reading in which the coefficients weigh the advantages of single answers;
        `pama_scalar` is the literal one. (2) Advantages come from the group and not from a value
        head for each objective, so they are the same for all tokens of an answer. A group's
        advantages do not show how good the group is, and their means, which the paper compares, are
        then noise: hence levels from gains. (3) The mask of clipped tokens is left out: there is
        one gradient step for each batch, so the policy ratio is 1. (4) `weighted` compares the
        levels divided by the weights (our extension): an objective with more weight is taken to lag
        more. Under levels from gains objective i then leads j by log(w_i / w_j) ways to their
        targets once neither lags.
    """

    def __init__(self, spec: PamaSpec, context: MethodContext, launch: Launch) -> None:
        self._spec = spec
        self._names = context.objective_names
        self._shares: FloatArray = np.zeros(len(self._names))
        scores = context.candidates.standardised
        self._base: FloatArray = scores.mean(axis=(0, 1))
        best = (scores.max(axis=1) - self._base).mean(axis=0)
        self._targets: FloatArray = np.where(best > 0, best, 1.0)

    def advantages(self, batch: RewardBatch) -> FloatArray:
        """Return one advantage for each answer, shape (b, g)."""
        taking_part = batch.weights > 0
        advantages, means = objective_levels(batch, taking_part, noon=self._spec.noon)
        levels = means
        if self._spec.levels == "gains":
            levels = progress(batch.rewards - self._base, self._targets)[taking_part]
        if self._spec.weighted:
            levels = levels / batch.weights[taking_part]
        coefficients = min_norm_coefficients(levels)
        self._shares = np.zeros(len(batch.weights))
        self._shares[taking_part] = coefficients
        combined: FloatArray = advantages @ coefficients
        return combined

    def metrics(self) -> Mapping[str, float]:
        """Return the coefficients of the last batch."""
        return {
            f"coefficient/{name}": float(share)
            for name, share in zip(self._names, self._shares, strict=True)
        }


class PamaScalar(Aggregator):
    """Gives every answer the advantage s* = c*.a, the projection of 0 on [min a, max a].

    It exists for comparison with `pama`: it does not distinguish answers, so a step only makes the
    batch's own answers more likely (or, without Noon, less).

    By hand: advantage means of (2, 1, 4) over the tokens give every answer 1.

    References:
        As `pama`, in the reading of third-party code; departures 2 and 3 of `pama` hold here too.
    """

    def __init__(self, spec: PamaScalarSpec, context: MethodContext, launch: Launch) -> None:
        self._noon = spec.noon
        self._step = 0.0

    def advantages(self, batch: RewardBatch) -> FloatArray:
        """Return one advantage for each answer, shape (b, g), all equal."""
        _, means = objective_levels(batch, batch.weights > 0, noon=self._noon)
        self._step = float(min_norm_coefficients(means) @ means)
        return np.full(batch.lengths.shape, self._step)

    def metrics(self) -> Mapping[str, float]:
        """Return the advantage of the last batch."""
        return {"pama_step": self._step}
