"""What a comparison of fronts is made of, and what comes of it, as frozen values.

Side         a front that is compared
Measured     what one of the two is worth
Difference   how they differ; made by `difference.difference`
Standing     what one of several fronts is worth beside the others
Comparison   how several compare; made by `comparison.comparison`
"""

from __future__ import annotations

from dataclasses import dataclass

from paretoflow.core.evaluation import Evaluation
from paretoflow.core.values import Problem
from paretoflow.core.views import NamedFront

Interval = tuple[float, float]


@dataclass(frozen=True)
class Side(NamedFront):
    """A front that is compared.

    Args:
        label: What the user called it.
        snapshot: Number of the front snapshot that it is; None where it is none.
        points: In the order of the front.
        after: The last front snapshot before it, where it is none itself.
        others: What was evaluated and is not on the front: the points were selected among these.
    """

    label: str
    sweep: str
    snapshot: int | None
    problem: Problem
    points: tuple[Evaluation, ...]
    after: int | None = None
    others: tuple[Evaluation, ...] = ()


@dataclass(frozen=True)
class Measured:
    """What one of the two fronts is worth, against the common reference point.

    Args:
        corrected: Hypervolume without the luck of being selected; None without scores of each
            prompt.
        interval: 95 % interval of what its points are truly worth; None likewise.
        beaten: Its points that a point of the other front dominates.
        covers: Share of the other front that it weakly dominates; 0 if either is empty.
    """

    side: Side
    hypervolume: float
    corrected: float | None
    interval: Interval | None
    beaten: tuple[Evaluation, ...]
    covers: float


@dataclass(frozen=True)
class Difference:
    """How front `b` differs from front `a`.

    Args:
        change: Hypervolume of b less that of a, as reported.
        corrected: The same of the corrected hypervolumes; None without scores of each prompt.
        interval: 95 % interval of the true change, around `corrected`; None likewise.
        paired: Whether both were scored on the same prompts, and the draws are common.
        kept, gained, lost: Points in both, only in b, only in a; the same means the same name,
            adapter and scores.
        notes: What the reader should know about the comparison, in sentences.
    """

    a: Measured
    b: Measured
    change: float
    corrected: float | None
    interval: Interval | None
    paired: bool
    kept: tuple[Evaluation, ...]
    gained: tuple[Evaluation, ...]
    lost: tuple[Evaluation, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """What one of the arms is worth beside the others; of several seeds, in the mean over them.

    Args:
        sides: The fronts of its sweeps, one for each seed.
        hypervolume: As reported.
        corrected: Without the luck of being selected.
        interval: 95 % interval of what it is truly worth.
        change: Hypervolume less that of the baseline, as reported.
        corrected_change: The same of the corrected ones.
        change_interval: 95 % interval of the true change; paired by prompts.
        joint: Share of the joint front's points that it has; one that several have counts for each.
    """

    sides: tuple[Side, ...]
    hypervolume: float
    corrected: float
    interval: Interval
    change: float
    corrected_change: float
    change_interval: Interval
    joint: float

    @property
    def label(self) -> str:
        """Return what the user called it."""
        return ",".join(side.label for side in self.sides)

    @property
    def points(self) -> tuple[Evaluation, ...]:
        """Return the points of all seeds."""
        return tuple(point for side in self.sides for point in side.points)


@dataclass(frozen=True)
class Comparison:
    """How fronts compare.

    Args:
        problem: Objectives, with the reference point that all are measured against.
        standings: In the order in which the fronts were given.
        baseline: Which of them the changes are taken from.
        prompts: Number of prompts that each sweep was scored on.
        joint_points: Number of points on the front of all together.
        joint_hypervolume: Of that front.
        notes: What the reader should know, in sentences.
        shared: Whether all sweeps were scored on the same prompts; else each seed has its own.
    """

    problem: Problem
    standings: tuple[Standing, ...]
    baseline: int
    prompts: int
    joint_points: int
    joint_hypervolume: float
    notes: tuple[str, ...]
    shared: bool = True

    @property
    def seeds(self) -> int:
        """Return the most seeds that an arm has."""
        return max(len(standing.sides) for standing in self.standings)
