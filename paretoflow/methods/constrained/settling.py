"""Decides which policy of a constrained run is its result; a pure function of its looks.

A run's last policy is seldom its best: control is late, and steps are coarse. The best policy that
kept the thresholds is stored, and if the last policy misses them, the two are mixed. A mixture of
two adapters costs no training; with less of the last policy in it, it is closer to the parent. Each
mixture is measured before it counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from paretoflow.methods.constrained.constraint import Constraint, ParentComparison

NEAREST = 0.1
"""Least distance of a mixture from both ends of the interval, as a share: a look closer to an end
is uninformative."""


@dataclass
class Looks:
    """Looks of a constrained run so far.

    Args:
        constraint: The run's constraint.
        best: The best look so far, the parent's included; see `Constraint.better`.
        beyond: Of the looks that miss a threshold, the one with the best target, if better than
            `best`.
        taken: Number of looks, the parent's included.
    """

    constraint: Constraint
    best: ParentComparison | None = None
    beyond: ParentComparison | None = None
    taken: int = 0
    seen: list[ParentComparison] = field(default_factory=list)

    def take(self, look: ParentComparison) -> tuple[bool, bool]:
        """Add a look; return whether its policy is now the best, and whether it is `beyond`."""
        self.taken += 1
        self.seen.append(look)
        constraint = self.constraint
        best = self.best is None or constraint.better(look, self.best)
        if best:
            self.best = look
        beyond = not constraint.kept(look) and (
            self.beyond is None or constraint.gain(look) > constraint.gain(self.beyond)
        )
        if beyond:
            self.beyond = look
        return best, beyond


def search(
    constraint: Constraint,
    low: ParentComparison,
    high: ParentComparison,
    checks: int,
    measure: Callable[[float], ParentComparison],
) -> ParentComparison:
    """Return the best look among mixtures of a policy that keeps all thresholds and one that fails.

    Regula falsi on the least margin, with `NEAREST` kept from either end; where a mixture keeps the
    thresholds, the search continues in the interval above it, else in the one below. An end that
    stays twice counts half (the Illinois variant), since scores are not linear.

    By hand: margins 0.06 at share 0 and -0.14 at 1 put the first mixture at 0.3. If that has -0.02,
    the next is at 0.3 * 0.06 / 0.08 = 0.225, and after another miss the 0.06 counts as 0.03.

    Args:
        constraint: The constraint to keep.
        low: Look that keeps the thresholds; share 0.
        high: Look that misses a threshold; share 1.
        checks: Maximum number of mixtures to measure.
        measure: Measures the mixture with a share of `high`.

    Returns:
        The best look; `low` itself only if no mixture was measured, or none was better.
    """
    best, nearest = low, high
    ends, room, moved = [0.0, 1.0], [constraint.margin(low), constraint.margin(high)], -1
    for _ in range(checks):
        width = ends[1] - ends[0]
        share = ends[0] + width * room[0] / max(room[0] - room[1], 1e-12)
        share = min(max(share, ends[0] + NEAREST * width), ends[1] - NEAREST * width)
        look = measure(share)
        side = 0 if constraint.kept(look) else 1
        if side == moved:
            room[1 - side] /= 2
        ends[side], room[side], moved = share, constraint.margin(look), side
        if side == 0:
            best = look if constraint.better(look, best) else best
        elif constraint.better(look, nearest):
            nearest = look
    return nearest if best.step == 0 else best
