"""What a comparison of fronts is made of, and what comes of it, as frozen values.

SidePoint    one point of a front that is compared
Side         a front that is compared
Measured     what one of the two is worth
Difference   how they differ; made by `difference.difference`
Standing     what one of several fronts is worth beside the others
Comparison   how several compare; made by `comparison.comparison`
"""

from __future__ import annotations

from dataclasses import dataclass

from paretoflow.core.values import FloatArray, Problem
from paretoflow.core.views import front_name

Interval = tuple[float, float]


@dataclass(frozen=True)
class SidePoint:
    """One point of a front that is compared.

    Args:
        digest: SHA-256 of its adapter; empty for a base model.
        scores: Raw means, length m.
        stderr: Standard error of each mean, length m.
        prompt_scores: Raw score of every prompt, shape (m, n); shape (0,) where none were kept.
        data: SHA-256 of the prompts; empty where unknown.
    """

    snapshot_id: str
    digest: str
    scores: tuple[float, ...]
    stderr: tuple[float, ...]
    prompt_scores: FloatArray
    data: str

    @property
    def identity(self) -> tuple[object, ...]:
        """Return what makes a point the same in two fronts: its name, weights and scores."""
        return self.snapshot_id, self.digest, self.scores


@dataclass(frozen=True)
class Side:
    """A front that is compared.

    Args:
        label: What the user called it.
        snapshot: Number of the front snapshot that it is; None where it is none.
        points: In the order of the front.
        after: The last front snapshot before it, where it is none itself.
    """

    label: str
    sweep: str
    snapshot: int | None
    problem: Problem
    points: tuple[SidePoint, ...]
    after: int | None = None

    @property
    def front_name(self) -> str:
        """Return the sweep, and what its front is called."""
        return f"{self.sweep}, {front_name(self.snapshot, self.after)}"


@dataclass(frozen=True)
class Measured:
    """What one of the two fronts is worth, against the common reference point.

    Args:
        interval: Bootstrap interval of the hypervolume, 95 %; None without scores of each prompt.
        beaten: Its points that a point of the other front dominates.
        covers: Share of the other front that it weakly dominates; 0 if either is empty.
    """

    side: Side
    hypervolume: float
    interval: Interval | None
    beaten: tuple[SidePoint, ...]
    covers: float


@dataclass(frozen=True)
class Difference:
    """How front `b` differs from front `a`.

    Args:
        change: Hypervolume of b less that of a.
        interval: Bootstrap interval of `change`, 95 %; None without scores of each prompt.
        paired: Whether both were scored on the same prompts, and the draws are common.
        kept, gained, lost: Points in both, only in b, only in a; the same means the same name,
            adapter and scores.
        notes: What the reader should know about the comparison, in sentences.
    """

    a: Measured
    b: Measured
    change: float
    interval: Interval | None
    paired: bool
    kept: tuple[SidePoint, ...]
    gained: tuple[SidePoint, ...]
    lost: tuple[SidePoint, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """What one of the fronts is worth beside the others.

    Args:
        interval: Bootstrap interval of the hypervolume, 95 %.
        change: Hypervolume less that of the baseline.
        change_interval: Paired bootstrap interval of `change`, 95 %.
        joint: Share of the joint front's points that it has; one that several have counts for each.
    """

    side: Side
    hypervolume: float
    interval: Interval
    change: float
    change_interval: Interval
    joint: float


@dataclass(frozen=True)
class Comparison:
    """How fronts compare.

    Args:
        problem: Objectives, with the reference point that all are measured against.
        standings: In the order in which the fronts were given.
        baseline: Which of them the changes are taken from.
        prompts: Number of prompts that all were scored on.
        joint_points: Number of points on the front of all together.
        joint_hypervolume: Of that front.
        notes: What the reader should know, in sentences.
    """

    problem: Problem
    standings: tuple[Standing, ...]
    baseline: int
    prompts: int
    joint_points: int
    joint_hypervolume: float
    notes: tuple[str, ...]
