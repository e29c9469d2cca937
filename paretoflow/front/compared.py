"""Frozen values that a comparison of fronts takes and returns.

Side         a front to compare
Measured     worth of one of two fronts
Difference   difference of two fronts; made by `difference.difference`
Standing     worth of one of several arms
Comparison   comparison of several arms; made by `comparison.comparison`
"""

from __future__ import annotations

from dataclasses import dataclass

from paretoflow.core.evaluation import Evaluation
from paretoflow.core.values import Problem
from paretoflow.core.views import NamedFront

Interval = tuple[float, float]


@dataclass(frozen=True)
class Side(NamedFront):
    """A front to compare.

    Args:
        label: The user's name for it.
        snapshot: Number of its front snapshot; None if it is not a snapshot.
        points: In the order of the front.
        after: Number of the last front snapshot before it, if it is not a snapshot itself.
        others: Evaluations that are not on the front; the points were selected among them all.
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
    """Worth of one of two fronts, measured against the common reference point.

    Args:
        corrected: Hypervolume without the luck of selection; None without scores of each prompt.
        interval: 95 % interval of the true hypervolume of its points; None without scores of each
            prompt.
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
    """Difference of front `b` from front `a`.

    Args:
        change: Hypervolume of b less that of a, as reported.
        corrected: The same of the corrected hypervolumes; None without scores of each prompt.
        interval: 95 % interval of the true change, around `corrected`; None without scores of each
            prompt.
        paired: Whether both were scored on the same prompts and share the draws.
        kept, gained, lost: Points in both, only in b, only in a. Two points are the same if they
            have the same name, adapter and scores.
        notes: Notes on the comparison for the reader, in sentences.
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
    """Worth of one arm of a comparison; the mean over its seeds if it has several.

    Args:
        sides: The fronts of its sweeps, one for each seed.
        hypervolume: As reported.
        corrected: Hypervolume without the luck of selection.
        interval: 95 % interval of the true hypervolume.
        change: Hypervolume less that of the baseline, as reported.
        corrected_change: The same of the corrected hypervolumes.
        change_interval: 95 % interval of the true change; paired by prompts.
        joint: Share of the joint front's points that the arm has; a point that several arms have
            counts for each of them.
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
        """Return the user's names of its fronts, joined by commas."""
        return ",".join(side.label for side in self.sides)

    @property
    def points(self) -> tuple[Evaluation, ...]:
        """Return the points of all seeds."""
        return tuple(point for side in self.sides for point in side.points)


@dataclass(frozen=True)
class Comparison:
    """Comparison of several arms.

    Args:
        problem: Objectives, with the reference point that all are measured against.
        standings: Worth of each arm, in the order in which the arms were given.
        baseline: Index of the arm that the changes are taken from.
        prompts: Number of prompts that each sweep was scored on.
        joint_points: Number of points on the joint front of all arms.
        joint_hypervolume: Hypervolume of the joint front.
        notes: Notes for the reader, in sentences.
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
        """Return the largest number of seeds of an arm."""
        return max(len(standing.sides) for standing in self.standings)
