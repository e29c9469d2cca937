"""True worth of a front, corrected for the selection of its points by their own scores.

A front is the best of many noisy evaluations. Evaluations that were lucky on the eval prompts are
on it, so its hypervolume is too high, the more so the more evaluations there were. A bootstrap
estimates the excess. It starts from estimates of where the policies are (`settled`) and redraws
prompts, the same for all evaluations. It selects the front again among all evaluations and compares
its redrawn volume with the volume that the same points had before. The mean excess is the optimism,
which is subtracted; the spread of the excess makes the interval.

Seeds are not covered: another seed of training would give other policies (see `comparison`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from paretoflow.core.errors import NonFiniteError, ShapeError
from paretoflow.core.values import FloatArray, IntArray
from paretoflow.front.checks import vector
from paretoflow.front.hypervolume import hypervolume
from paretoflow.front.settled import settled_means
from paretoflow.front.stacked import (
    members_hypervolumes,
    redrawn_means,
    stacked_fronts,
    stacked_hypervolumes,
    subset_hypervolumes,
)
from paretoflow.front.student import Interval, student_interval

DRAWS = 500
"""Number of redrawn fronts."""
_NEVER = 4.0
"""Lead in standard errors, in every objective, beyond which the beaten evaluation is left out."""
_MOST = 250
"""Largest number of contenders beside the claimed points: bounds the time of very long sweeps."""


@dataclass(frozen=True)
class Rule:
    """Estimate and correction of the luck of a selection.

    Args:
        passes: Number of passes of `settled_means` before prompts are redrawn.
        correction: Amount to subtract, as a multiple of the bootstrap's optimism.
        unsure: Variance of the correction, as a share of its square.
        selects: Whether these scores selected the claimed points. If other scores did, only the
            bias that the noise of the points gives to a volume is subtracted.
    """

    passes: int
    correction: float
    unsure: float
    selects: bool = True


RULES: Mapping[int, Rule] = {1: Rule(0, 1.2, 1 / 8), 2: Rule(2, 1.0, 1 / 8)}
"""Rules by number; an export records the number of its rule. The first redrew prompts around the
means themselves. The constants were chosen on convex and saturating sweeps and checked on others
(tests/benchmarks/results/coverage.md)."""
RULE = max(RULES)
"""Number of the current rule."""
FRESH = Rule(0, 1.0, 1 / 8, selects=False)
"""Rule for scores that selected nothing."""


@dataclass(frozen=True)
class Worth:
    """Worth of a front.

    Args:
        reported: Hypervolume of the scores as they are.
        optimism: Part of the reported hypervolume that is luck of the selection.
        errors: Redrawn volume less the volume of the same points before, of each draw, shape (d,).
        prompts: Number of prompts.
        doubts: For each claimed point, the probability that its strongest rival among the other
            claimed points is truly better, shape (k,).
        rivals: Index of that rival among the claimed points, shape (k,); -1 for none.
        rule: The rule that was used.
    """

    reported: float
    optimism: float
    errors: FloatArray
    prompts: int
    doubts: FloatArray
    rivals: IntArray
    rule: Rule = RULES[RULE]

    @property
    def unsure(self) -> float:
        """Return the variance of the correction."""
        return self.rule.unsure * self.optimism**2

    @property
    def corrected(self) -> float:
        """Return the hypervolume without the optimism, never negative."""
        return max(0.0, self.reported - self.optimism)

    @property
    def interval(self) -> Interval:
        """Return the 95 % interval of the true hypervolume of the claimed points."""
        spread = variance_of(self.errors, self.prompts) + self.unsure
        middle = self.reported - self.optimism
        low, high = student_interval(middle, spread, self.prompts - 1)
        return max(0.0, low), max(0.0, high)


def worth(
    clouds: ArrayLike,
    claimed: ArrayLike,
    ref: ArrayLike,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    rule: Rule = RULES[RULE],
) -> Worth:
    """Return the worth of a front, with the luck of its selection estimated.

    By hand: a single evaluation was not selected, and its mean is as often too low as too high: no
    optimism. Two evaluations that gain (0, 2) and (2, 0) on two prompts are worth 1. Redrawn, the
    better of the two has 2 in half of the draws, where the same point had 1 before: half of 2 - 1
    is .5, times the rule's correction.

    Args:
        clouds: Oriented score of every prompt for every evaluation, shape (k, m, n), n at least 2.
        claimed: Indices of the evaluations on the front.
        ref: Oriented reference point, shape (m,).
        draws: Number of bootstrap draws.
        seed: Seed of the draws. The same seed and number of prompts redraw the same prompts, so the
            errors of two fronts that were scored on the same prompts are paired.
        rule: Estimate and correction of the luck.

    Raises:
        ShapeError: If the arrays do not fit each other.
        NonFiniteError: If one holds nan or infinity.

    References:
        Efron (1986), How biased is the apparent error rate of a prediction rule?, JASA 81, sec. 2,
        for the optimism and its bootstrap; Varian's winner's curse is the same. Ours: the front is
        the selection, settled means are redrawn, and the correction has a variance of its own.
    """
    array, point = _checked(clouds, ref)
    index = np.asarray(claimed, dtype=np.int64).reshape(-1)
    means = array.mean(axis=2)
    if not len(index):
        return Worth(0.0, 0.0, np.zeros(1), array.shape[2], np.zeros(0), np.zeros(0, np.int64))
    contending = np.union1d(_contenders(array, index), index)
    able, own = array[contending], means[contending]
    redrawn = redrawn_means(able, draws, seed)
    settled = settled_means(able, rule.passes)
    errors = _excess(redrawn + (settled - own), settled, point, seed, selects=rule.selects)
    threats = _threats(redrawn[:, np.searchsorted(contending, index)])
    return Worth(
        reported=hypervolume(means[index], point),
        optimism=rule.correction * float(errors.mean()),
        errors=errors,
        prompts=array.shape[2],
        doubts=threats.max(axis=1, initial=0.0),
        rivals=np.where(threats.any(axis=1), threats.argmax(axis=1), -1),
        rule=rule,
    )


def worth_less(first: Worth, second: Worth, *, paired: bool, shared: float = 0.0) -> Interval:
    """Return the 95 % interval of the second front's true hypervolume less that of the first.

    Args:
        first: Worth of one front.
        second: Worth of the other, with the same number of draws.
        paired: Whether both were scored on the same prompts and share the draws.
        shared: Share of the smaller side's evaluations that the other side has as well; they have
            the same luck on both sides. 1 for two front snapshots of one sweep.

    Returns:
        Lower and upper end; the middle is the difference of the corrected hypervolumes.
    """
    unsure = first.unsure + second.unsure - 2 * shared * min(first.unsure, second.unsure)
    change = (second.reported - second.optimism) - (first.reported - first.optimism)
    if paired:
        spread = variance_of(second.errors - first.errors, first.prompts)
    else:
        spread = variance_of(first.errors, first.prompts) + variance_of(
            second.errors, second.prompts
        )
    freedom = min(first.prompts, second.prompts) - 1
    return student_interval(change, spread + unsure, freedom)


def variance_of(errors: FloatArray, prompts: int) -> float:
    """Return the variance of errors, times n / (n - 1): redrawing n prompts gives too little."""
    return float(errors.var() * prompts / max(1, prompts - 1))


def _checked(clouds: ArrayLike, ref: ArrayLike) -> tuple[FloatArray, FloatArray]:
    array = np.asarray(clouds, dtype=np.float64)
    if array.ndim != 3 or array.size == 0 or array.shape[2] < 2:
        raise ShapeError(f"clouds must have shape (k, m, n) with n >= 2, got {array.shape}")
    finite = np.isfinite(array).all(axis=(1, 2))
    if not finite.all():
        raise NonFiniteError(
            "clouds must be finite, got nan or infinity in evaluations "
            f"{np.flatnonzero(~finite).tolist()}"
        )
    return array, vector(ref, array.shape[1], "the reference point")


def _contenders(array: FloatArray, claimed: IntArray) -> IntArray:
    """Return the evaluations that may be selected: no claimed one beats them by far.

    If there are too many, those that are beaten by the least are returned.
    """
    left, margin = np.arange(len(array)), np.full(len(array), -np.inf)
    for rival in array[claimed]:
        apart = rival - array[left]
        errors = apart.std(axis=2, ddof=1) / np.sqrt(array.shape[2])
        lead = np.where(errors > 0, apart.mean(axis=2) / np.where(errors > 0, errors, 1.0), 0.0)
        lead = np.where((errors == 0) & (apart.mean(axis=2) > 0), np.inf, lead)
        margin[left] = np.maximum(margin[left], lead.min(axis=1))
        left = left[margin[left] < _NEVER]
    return np.sort(left[np.argsort(margin[left], kind="stable")[:_MOST]])


def _excess(
    redrawn: FloatArray, means: FloatArray, ref: FloatArray, seed: int, *, selects: bool
) -> FloatArray:
    """Return each redrawn front's volume less the volume of its points before, shape (d,)."""
    if not selects:
        after = stacked_hypervolumes(redrawn, means, ref, seed=seed)
        return np.asarray(after - hypervolume(means, ref), dtype=np.float64)
    members = stacked_fronts(redrawn)
    after = members_hypervolumes(redrawn, members, means, ref, seed=seed)
    before = subset_hypervolumes(means, members, ref, seed=seed)
    return np.asarray(after - before, dtype=np.float64)


def _threats(redrawn: FloatArray) -> FloatArray:
    """Return how often point j dominates point i, of d draws, shape (k, k)."""
    places = np.ascontiguousarray(redrawn.transpose(2, 1, 0))
    found = np.zeros((redrawn.shape[1],) * 2)
    for i in range(len(found)):
        reaches = np.logical_and.reduce([p >= p[i] for p in places])
        passes = np.logical_or.reduce([p > p[i] for p in places])
        found[i] = (reaches & passes).mean(axis=1)
    return found
