"""Statistics of results: medians, pairs, wins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tests.benchmarks.proposers.cells import Result
from tests.benchmarks.proposers.field import default_of
from tests.benchmarks.proposers.problems import Known, target_of

DEFAULT = "default"
TIE = 0.002
"""Shares that differ by less are a tie."""


def with_default(results: Sequence[Result], problems: Iterable[Known]) -> list[Result]:
    """Return the results and, once more, those of whom `auto` stands for, as `DEFAULT`."""
    tag = {p.name: default_of(target_of(p).m) for p in problems}
    own = [r for r in results if r.cell.entrant == tag[r.cell.problem]]
    return [*results, *(replace(r, cell=replace(r.cell, entrant=DEFAULT)) for r in own)]


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return lower quartile, median and upper quartile; of two in the middle the larger."""
    low, middle, high = np.percentile(values, (25, 50, 75), method="higher")
    return float(low), float(middle), float(high)


@dataclass(frozen=True)
class Duel:
    """One against another on the same sweeps.

    Args:
        wins: Sweeps on which the first is ahead by more than a tie.
        ties: Within a tie.
        losses: Behind.
        gap: Median difference, first less second.
        p: Of Wilcoxon's signed-rank test, two-sided; nan where all differences are zero.
    """

    wins: int
    ties: int
    losses: int
    gap: float
    p: float


def duel(first: Sequence[Result], second: Sequence[Result], runs: int) -> Duel | None:
    """Return how one fares against another after so many runs, over the sweeps that both have."""
    ours, theirs = by_sweep(first, runs), by_sweep(second, runs)
    both = sorted(set(ours) & set(theirs))
    if not both:
        return None
    gaps = np.array([ours[k] - theirs[k] for k in both])
    return Duel(
        int((gaps > TIE).sum()),
        int((np.abs(gaps) <= TIE).sum()),
        int((gaps < -TIE).sum()),
        float(np.median(gaps)),
        signed_rank(gaps),
    )


def by_sweep(results: Sequence[Result], runs: int) -> dict[tuple[object, ...], float]:
    """Return the share after so many runs by problem, level and seed."""
    found = ((r.cell, r.at(runs)) for r in results)
    return {(c.problem, c.level, c.seed): share for c, share in found if share is not None}


def signed_rank(gaps: np.ndarray) -> float:
    """Return the p-value of Wilcoxon's signed-rank test that gaps are as often above as below 0."""
    from scipy.stats import wilcoxon

    if not np.any(gaps):
        return float("nan")
    return float(wilcoxon(gaps, zero_method="zsplit").pvalue)


def of_entrant(results: Iterable[Result], name: str) -> list[Result]:
    """Return one entrant's results that were run."""
    return [r for r in results if r.cell.entrant == name and r.shares and not r.left_out]


def names_in(results: Iterable[Result]) -> list[str]:
    """Return who took part, in the order of the results."""
    return list(dict.fromkeys(r.cell.entrant for r in results))
