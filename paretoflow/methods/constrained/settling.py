"""Decides which policy of a constrained run is its result; a pure function of its looks.

A run's last policy is seldom its best: control is late, and steps are coarse. What was seen to keep
the thresholds is kept at hand, and where the run's end does not keep them, it is mixed with what
does. A mixture of two adapters costs no training, and the less of the end is in it, the less has
changed from the parent. Each mixture is looked at before it counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from paretoflow.methods.constrained.constraint import Constraint, ParentComparison

NEAREST = 0.1
"""Share of a stretch that a mixture keeps from both of its ends: a look there would say nothing."""


@dataclass
class Looks:
    """What a constrained run has seen of itself.

    Args:
        constraint: What it is to keep.
        best: Of the policies seen, its parent included, the best; see `Constraint.better`.
        beyond: Of those that miss a threshold, the best at the target, if better than `best`.
        taken: How many looks there were, the parent's included.
    """

    constraint: Constraint
    best: ParentComparison | None = None
    beyond: ParentComparison | None = None
    taken: int = 0
    seen: list[ParentComparison] = field(default_factory=list)

    def take(self, look: ParentComparison) -> tuple[bool, bool]:
        """Take a look in; return whether its policy is the best now, and whether it is `beyond`."""
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
    """Return the best look among mixtures of a policy that keeps the thresholds and one that won't.

    Regula falsi on the least margin, with `NEAREST` kept from either end; where a mixture keeps the
    thresholds, the stretch above it is searched on, else that below. An end that stays twice counts
    half (the Illinois variant): scores are no straight lines.

    By hand: margins 0.06 at share 0 and -0.14 at 1 put the first mixture at 0.3. If that has -0.02,
    the next is at 0.3 * 0.06 / 0.08 = 0.225, and after another miss the 0.06 counts as 0.03.

    Args:
        constraint: What is to be kept.
        low: Keeps the thresholds; share 0.
        high: Misses one; share 1.
        checks: Mixtures to look at, at most.
        measure: Looks at the mixture with a share of `high`.

    Returns:
        The best look; `low` itself only where no mixture was looked at, or none improved on it.
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
