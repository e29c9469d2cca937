"""The faults of a simulated attempt: decided at its start, by seed alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from paretoflow.engine.simulation.oracle_answers import CheckedPoint


@dataclass(frozen=True)
class FullDisk:
    """A period in which nothing can be written.

    Args:
        start_s: Start in virtual seconds; `end_s` is the end.
        slot: The worker group that owns the disk; None where all write to it.
    """

    start_s: float
    end_s: float
    slot: int | None = None

    def befalls(self, slot: int, now_s: float) -> bool:
        """Check whether a worker group cannot write at a time."""
        return self.slot in (None, slot) and self.start_s <= now_s < self.end_s


@dataclass(frozen=True)
class FaultModel:
    """The faults of a simulation, each as a probability for an attempt.

    Args:
        crash: The worker group dies during the attempt.
        straggle: The attempt takes `straggle_factor` times as long.
        full_disks: Periods in which worker groups cannot write their results.
    """

    crash: float = 0.0
    straggle: float = 0.0
    straggle_factor: float = 5.0
    full_disks: tuple[FullDisk, ...] = ()


@dataclass(frozen=True)
class SavedProgress:
    """The saved progress of a run, for its next attempt.

    Args:
        checkpoints: Number of evaluated checkpoints, over all attempts.
        share: Share of the way to the next checkpoint.
    """

    checkpoints: int = 0
    share: float = 0.0

    def __lt__(self, other: SavedProgress) -> bool:
        """Check whether the other is farther."""
        return (self.checkpoints, self.share) < (other.checkpoints, other.share)


@dataclass(frozen=True)
class AttemptPlan:
    """The plan of one attempt, which holds unless others interfere.

    Args:
        begun: Progress from which it continues.
        first: Number of checkpoints that are left out, as earlier attempts have made them.
        points: The remaining checkpoints, at least one.
        ends: Time of each of them, in seconds after the start.
        crash_s: Time of the worker group's death, in seconds after the start.
    """

    begun: SavedProgress
    first: int
    points: tuple[CheckedPoint, ...]
    ends: tuple[float, ...]
    crash_s: float = float("inf")

    def reached(self, after_s: float) -> SavedProgress:
        """Return the progress of the attempt some seconds after its start."""
        done = sum(end <= after_s for end in self.ends)
        if done == len(self.ends):
            return SavedProgress(self.first + done)
        before = self.ends[done - 1] if done else 0.0
        share = (after_s - before) / max(self.ends[done] - before, 1e-12)
        start = self.begun.share if done == 0 else 0.0
        return SavedProgress(self.first + done, start + (1.0 - start) * share)


def course_of(
    points: Sequence[CheckedPoint],
    begun: SavedProgress,
    faults: FaultModel,
    fate: np.random.Generator,
) -> AttemptPlan:
    """Make the plan of one attempt.

    Args:
        points: Checkpoints of the whole run, at least one.
        begun: Progress from which it continues.
        faults: Probabilities of faults.
        fate: Random generator of this attempt.
    """
    slow = faults.straggle_factor if fate.random() < faults.straggle else 1.0
    first = min(begun.checkpoints, len(points) - 1)
    left = tuple(points[first:])
    costs = [p.evaluation.cost.wall_s * slow for p in left]
    costs[0] *= 1.0 - begun.share if first == begun.checkpoints else 1.0
    ends = tuple(accumulate(costs))
    if fate.random() < faults.crash:
        return AttemptPlan(begun, first, left, ends, ends[int(fate.integers(len(ends)))])
    return AttemptPlan(begun, first, left, ends)
