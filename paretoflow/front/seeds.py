"""Intervals for arms of several sweeps that differ by their seed; they include training luck.

The variance between the seeds of an arm is pooled over all arms, as in a t test with equal
variances: two or three seeds alone would say little. Where all sweeps were scored on the same
prompts, the variance due to the prompts is added. The spread of the seeds contains it already, so
the interval is slightly wider than necessary. Where each seed has its own prompts, nothing is
added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paretoflow.front.student import Interval, student_interval, summed
from paretoflow.front.worth import Worth, variance_of

Arm = Sequence[Worth]
"""The worths of an arm's sweeps. If each seed has its own prompts, all arms have the same order."""


@dataclass(frozen=True)
class Luck:
    """Variance between the seeds of one arm.

    Args:
        variance: Variance of corrected hypervolumes within arms; 0 where every arm has one seed.
        freedom: Degrees of freedom: seeds less arms.
        shared: Whether all sweeps were scored on the same prompts.
    """

    variance: float
    freedom: int
    shared: bool


def luck_of(arms: Sequence[Arm], *, shared: bool) -> Luck:
    """Return the luck of training, pooled over the seeds of all arms.

    By hand: arms worth (1, 3) and (5, 5) have squares of 2 and 0 about their means: 2 over 2.
    """
    found = [np.array([w.corrected for w in arm]) for arm in arms]
    freedom = sum(len(values) - 1 for values in found)
    squares = sum(float(((values - values.mean()) ** 2).sum()) for values in found)
    return Luck(squares / freedom if freedom else 0.0, freedom, shared)


def arm_interval(arm: Arm, luck: Luck) -> Interval:
    """Return the 95 % interval of an arm's true mean hypervolume over seeds, never negative."""
    parts = [(luck.variance / len(arm), luck.freedom)]
    if luck.shared:
        parts.append(_by_prompts([arm], [1.0]))
    low, high = student_interval(_mean(arm), *summed(parts))
    return max(0.0, low), max(0.0, high)


def arm_change(first: Arm, second: Arm, luck: Luck) -> Interval:
    """Return the 95 % interval of the second arm's mean hypervolume less that of the first."""
    change = _mean(second) - _mean(first)
    if not luck.shared:  # seed by seed, each pair on its own prompts
        apart = [b.corrected - a.corrected for a, b in zip(first, second, strict=True)]
        variance = float(np.var(apart, ddof=1)) / len(apart)
        return student_interval(change, variance, len(apart) - 1)
    luck_part = luck.variance * (1 / len(first) + 1 / len(second)), luck.freedom
    parts = [luck_part, _by_prompts([first, second], [-1.0, 1.0])]
    return student_interval(change, *summed(parts))


def _mean(arm: Arm) -> float:
    return float(np.mean([w.reported - w.optimism for w in arm]))


def _by_prompts(arms: Sequence[Arm], signs: Sequence[float]) -> tuple[float, int]:
    """Return the variance due to the choice of prompts, with its degrees of freedom."""
    errors = sum(
        sign * np.mean([w.errors for w in arm], axis=0)
        for arm, sign in zip(arms, signs, strict=True)
    )
    unsure = sum(sum(w.unsure for w in arm) / len(arm) ** 2 for arm in arms)
    prompts = arms[0][0].prompts
    return variance_of(np.asarray(errors), prompts) + unsure, prompts - 1
