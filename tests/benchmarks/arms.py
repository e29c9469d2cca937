"""Fronts of two arms of a benchmark, and their comparison.

All points are scored on the same prompts and every bootstrap draw redraws the same prompts for
every front, so that differences between arms are paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paretoflow.core.values import FloatArray
from paretoflow.front.dominance import nondominated
from paretoflow.front.hypervolume import hypervolume

DRAWS = 2000


@dataclass(frozen=True)
class Point:
    """One evaluated adapter.

    Args:
        at_s: Seconds from the start of the arm until it was there to be used.
        gains: Oriented scores by prompt, shape (m, n).
        final: Whether it is the last of its run.
    """

    at_s: float
    gains: FloatArray
    final: bool = True


@dataclass(frozen=True)
class Arm:
    """What one arm took and found; `ref` is the oriented reference point."""

    wall_s: float
    points: Sequence[Point]
    ref: FloatArray

    def finals(self) -> Arm:
        """Return the arm as if it had looked at the end of each run only."""
        return Arm(self.wall_s, [p for p in self.points if p.final], self.ref)

    def front(self) -> FloatArray:
        """Return the front's gains by prompt, shape (k, m, n)."""
        gains = np.stack([p.gains for p in self.points])
        return gains[nondominated(gains.mean(axis=2))]

    def volume(self) -> float:
        """Return the hypervolume of the front."""
        return hypervolume(self.front().mean(axis=2), self.ref)

    def redrawn(self) -> FloatArray:
        """Return the hypervolume of the front under redrawn prompts, shape (DRAWS,)."""
        front = self.front()
        n = front.shape[2]
        counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=DRAWS) / n
        means = np.einsum("kmn,dn->dkm", front, counts)
        return np.array([hypervolume(gains, self.ref) for gains in means])

    def reached(self, target: float) -> float | None:
        """Return the second at which the front so far had a hypervolume; None if it never did."""
        points = sorted(self.points, key=lambda p: p.at_s)
        means = np.stack([p.gains.mean(axis=1) for p in points])
        for count, point in enumerate(points, start=1):
            if hypervolume(means[:count], self.ref) >= target:
                return point.at_s
        return None


def interval(values: FloatArray) -> str:
    """Return the middle 95 % of draws as text."""
    low, high = np.quantile(values, [0.025, 0.975])
    return f"[{low:.2f}, {high:.2f}]"


def reach(name: str, arm: Arm, goal: str, other: Arm) -> tuple[str, ...]:
    """Return a row on when an arm's front reached the final hypervolume of another."""
    at_s = arm.reached(other.volume())
    if at_s is None:
        return name, goal, f"not within its {arm.wall_s:.0f} s", f"{other.wall_s:.0f}", ""
    ratio = f"{other.wall_s / at_s:.2f}"
    return name, goal, f"{at_s:.0f}", f"{other.wall_s:.0f}", ratio


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table for the notes below the main one."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
