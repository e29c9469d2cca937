"""The default against the best of its own arms, which other seeds have chosen.

The best of several arms on the sweeps that are compared is a maximum over noise: even the same
proposer under four names loses to it. So the seeds are halved: each half chooses an arm, by its
mean share, and the other half compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from paretoflow.core.values import FloatArray

RESAMPLES = 1000
BLOCK = 4
"""Neighbouring seeds that meet every level of noise (`weather.NOISES`) once: a half has all."""
FEW = (0, 1, 1, 0)
"""Halves of fewer seeds: one has none and the most, the other what lies between."""
Key = tuple[object, ...]
"""Problem, level of the oracle, seed."""


@dataclass(frozen=True)
class Gap:
    """What the default is ahead of the best arm by.

    Args:
        arms: The arm that each half has chosen, one name if both chose the same.
        share: The default's mean share.
        other: That of the chosen arms on the sweeps that did not choose them.
        mean: Of the paired gaps, each problem counting alike.
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
    """Return the gap over the sweeps that all have; None if some problem has a single seed.

    For the interval, seeds are drawn again within each half and problem, and arms chosen again.

    Args:
        ours: Shares of the default.
        arms: Shares of each arm.
    """
    keys = sorted(set(ours).intersection(*arms.values()), key=str)
    halves = [_split(keys, half) for half in (0, 1)]
    if not all(halves) or not all(len(groups) == len(halves[0]) for groups in halves):
        return None
    names = list(arms)
    tables = [[_table(group, ours, arms) for group in groups] for groups in halves]
    chosen, gaps = _crossed(tables)
    rng = np.random.default_rng(0)
    means = np.zeros(RESAMPLES)
    for i in range(RESAMPLES):
        drawn = [[t[rng.integers(0, len(t), len(t))] for t in half] for half in tables]
        means[i] = _mean(_crossed(drawn)[1])
    low, high = np.percentile(means, (2.5, 97.5))
    share = float(np.mean([t[:, 0].mean() for half in tables for t in half]))
    mean = _mean(gaps)
    told = tuple(dict.fromkeys(names[c] for c in chosen))
    every = np.concatenate([g for half in gaps for g in half])
    return Gap(told, share, share - mean, mean, float(low), float(high), every)


def _split(keys: Sequence[Key], half: int) -> list[list[Key]]:
    """Return the keys of one half of the seeds, by problem and level."""
    groups: dict[Key, list[Key]] = {}
    for key in keys:
        groups.setdefault(key[:-1], []).append(key)
    found = []
    for group in groups.values():
        group.sort(key=lambda key: int(str(key[-1])))
        many = len(group) >= 2 * BLOCK
        halves = [p // BLOCK % 2 if many else FEW[p % BLOCK] for p in range(len(group))]
        found.append([k for k, of in zip(group, halves, strict=True) if of == half])
    return [group for group in found if group]


def _table(
    keys: Sequence[Key], ours: Mapping[Key, float], arms: Mapping[str, Mapping[Key, float]]
) -> FloatArray:
    """Return the shares on some sweeps, a row each: the default's, then the arms'."""
    return np.array([[ours[k], *(arm[k] for arm in arms.values())] for k in keys])


def _crossed(tables: Sequence[Sequence[FloatArray]]) -> tuple[list[int], list[list[FloatArray]]]:
    """Return the arm that each half chooses, and the gaps to it on the other half by problem."""
    means = [np.mean([t[:, 1:].mean(axis=0) for t in half], axis=0) for half in tables]
    chosen = [int(mean.argmax()) for mean in means]
    pairs = zip(tables, reversed(chosen), strict=True)
    return chosen, [[t[:, 0] - t[:, 1 + arm] for t in half] for half, arm in pairs]


def _mean(gaps: Sequence[Sequence[FloatArray]]) -> float:
    return float(np.mean([g.mean() for half in gaps for g in half]))
