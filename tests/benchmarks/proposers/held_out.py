"""The default against the best of its own arms, chosen on other seeds.

The best of several arms on the compared sweeps is a maximum over noise: even the same proposer
under four names loses to it. So the seeds are halved: each half chooses an arm, by its mean share,
and the other half compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from paretoflow.core.values import FloatArray

BLOCK = 4
"""Neighbouring seeds that meet every level of noise (`weather.NOISES`) once: a half has all."""
FEW = (0, 1, 1, 0)
"""Halves of fewer seeds: one has none and the most, the other what lies between."""
Key = tuple[object, ...]
"""Problem, level of the oracle, seed."""


@dataclass(frozen=True)
class Gap:
    """Lead of the default over the best arm.

    Args:
        arms: The arm that each half chose, one name if both chose the same.
        share: The default's mean share.
        other: That of the chosen arms on the sweeps that did not choose them.
        mean: Of the paired gaps.
        low: Lower end of its 95 % interval.
        high: Upper end.
        gaps: All of them.
    """

    arms: tuple[str, ...]
    share: float
    other: float
    mean: float
    low: float
    high: float
    gaps: FloatArray


def held_out(ours: Mapping[Key, float], arms: Mapping[str, Mapping[Key, float]]) -> Gap | None:
    """Return the gap over the sweeps that all have; None if no problem has two seeds.

    Args:
        ours: Shares of the default.
        arms: Shares of each arm.
    """
    keys = sorted(set(ours).intersection(*arms.values()), key=str)
    halves = [_split(keys, half) for half in (0, 1)]
    if not all(halves):
        return None
    names = list(arms)
    tables = [[_table(group, ours, arms) for group in groups] for groups in halves]
    means = [np.mean([t[:, 1:].mean(axis=0) for t in half], axis=0) for half in tables]
    chosen = [int(mean.argmax()) for mean in means]
    pairs = zip(tables, reversed(chosen), strict=True)
    gaps = np.concatenate([t[:, 0] - t[:, 1 + arm] for half, arm in pairs for t in half])
    share = float(np.concatenate([t[:, 0] for half in tables for t in half]).mean())
    told = tuple(dict.fromkeys(names[c] for c in chosen))
    return Gap(told, share, share - float(gaps.mean()), *interval(gaps), gaps)


def interval(gaps: FloatArray) -> tuple[float, float, float]:
    """Return the mean of gaps and its 95 % interval, by Student's t.

    By hand: -.1, .1 and .3 have the mean .1 and the standard error .2 / sqrt(3) = .115, which t
    with two degrees of freedom makes .1 +- .497.
    """
    from scipy.stats import t

    mean = float(gaps.mean())
    error = float(gaps.std(ddof=1) / np.sqrt(len(gaps)))
    half = float(t.ppf(0.975, len(gaps) - 1)) * error
    return mean, mean - half, mean + half


def _split(keys: Sequence[Key], half: int) -> list[list[Key]]:
    """Return the keys of one half of the seeds, by problem and level, where there are two."""
    groups: dict[Key, list[Key]] = {}
    for key in keys:
        groups.setdefault(key[:-1], []).append(key)
    found = []
    for group in groups.values():
        group.sort(key=lambda key: int(str(key[-1])))
        many = len(group) >= 2 * BLOCK
        halves = [p // BLOCK % 2 if many else FEW[p % BLOCK] for p in range(len(group))]
        if len(group) > 1:
            found.append([k for k, of in zip(group, halves, strict=True) if of == half])
    return found


def _table(
    keys: Sequence[Key], ours: Mapping[Key, float], arms: Mapping[str, Mapping[Key, float]]
) -> FloatArray:
    """Return the shares on some sweeps, a row each: the default's, then the arms'."""
    return np.array([[ours[k], *(arm[k] for arm in arms.values())] for k in keys])
