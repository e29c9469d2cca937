"""What befalls an attempt: decided at its start, by seed alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

import numpy as np

from paretoflow.core.launch import Launch
from paretoflow.engine.simulation.oracle_answers import CheckedPoint


@dataclass(frozen=True)
class FullDisk:
    """A time in which nothing can be written.

    Args:
        start_s: Its begin, in virtual seconds; `end_s` its end.
        slot: The worker group whose disk it is; None where all write to it.
    """

    start_s: float
    end_s: float
    slot: int | None = None

    def befalls(self, slot: int, now_s: float) -> bool:
        """Return whether a worker group cannot write at a time."""
        return self.slot in (None, slot) and self.start_s <= now_s < self.end_s


@dataclass(frozen=True)
class FaultModel:
    """What goes wrong in a simulation, each as a probability of an attempt.

    Args:
        crash: The worker group dies somewhere on the way.
        straggle: The attempt takes `straggle_factor` times as long.
        out_of_memory: The attempt is out of memory; half as likely with batches half as large.
        node_loss: The worker group's node is lost, and every worker group on it.
        preempt: The worker group's machine is taken back; notice leaves time to save.
        hang: The worker group falls silent: shorter than `engine.limits.silent_s`, or until it is
            given up; what it did then comes late.
        duplicate: Of a report: it comes twice.
        delay: Of a fragment, and of a report: it comes late.
        delay_s: Mean of what is late, in virtual seconds.
        groups_per_node: How many worker groups a lost node takes along.
        noticed_s: Until a lost worker group is noticed and another machine stands in its place.
        full_disks: When worker groups cannot write their results.
    """

    crash: float = 0.0
    straggle: float = 0.0
    straggle_factor: float = 5.0
    out_of_memory: float = 0.0
    node_loss: float = 0.0
    preempt: float = 0.0
    hang: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0
    delay_s: float = 1.0
    groups_per_node: int = 2
    noticed_s: float = 0.0
    full_disks: tuple[FullDisk, ...] = ()


class InjectedFault(StrEnum):
    """What ends an attempt early, or holds it up."""

    CRASH = "crash"
    OUT_OF_MEMORY = "out_of_memory"
    NODE_LOSS = "node_loss"
    PREEMPT = "preempt"
    HANG = "hang"


@dataclass(frozen=True)
class SavedProgress:
    """How far a run has come, for its next attempt.

    Args:
        checkpoints: Evaluated ones, whatever attempt they come from.
        share: Of the way to the next one.
    """

    checkpoints: int = 0
    share: float = 0.0

    def __lt__(self, other: SavedProgress) -> bool:
        """Return whether the other is farther."""
        return (self.checkpoints, self.share) < (other.checkpoints, other.share)


@dataclass(frozen=True)
class AttemptPlan:
    """What one attempt does unless others interfere.

    Args:
        begun: Where it goes on.
        first: Checkpoints that are left out, since earlier attempts have made them.
        points: Those that are left, at least one.
        ends: When each of them is there, seconds after the start.
        trouble: What befalls the attempt itself, or None.
        trouble_s: When, seconds after the start.
        stall_s: How long it is silent then.
    """

    begun: SavedProgress
    first: int
    points: tuple[CheckedPoint, ...]
    ends: tuple[float, ...]
    trouble: InjectedFault | None = None
    trouble_s: float = float("inf")
    stall_s: float = 0.0

    def reached(self, after_s: float) -> SavedProgress:
        """Return how far the attempt is some seconds after its start."""
        done = sum(end <= after_s for end in self.ends)
        if done == len(self.ends):
            return SavedProgress(self.first + done)
        before = self.ends[done - 1] if done else 0.0
        share = (after_s - before) / max(self.ends[done] - before, 1e-12)
        start = self.begun.share if done == 0 else 0.0
        return SavedProgress(self.first + done, start + (1.0 - start) * share)


def course_of(
    points: Sequence[CheckedPoint],
    launch: Launch,
    begun: SavedProgress,
    faults: FaultModel,
    silent_s: float,
    fate: np.random.Generator,
) -> AttemptPlan:
    """Decide what one attempt will do.

    Args:
        points: The whole run, at least one checkpoint.
        launch: The attempt.
        begun: Where it goes on.
        faults: What may go wrong.
        silent_s: How long a worker group may be silent before it is given up.
        fate: Randomness of this attempt.
    """
    slow = faults.straggle_factor if fate.random() < faults.straggle else 1.0
    first = min(begun.checkpoints, len(points) - 1)
    left = tuple(points[first:])
    costs = [p.evaluation.cost.wall_s * slow for p in left]
    costs[0] *= 1.0 - begun.share if first == begun.checkpoints else 1.0
    ends = tuple(accumulate(costs))
    troubles = _troubles(ends, faults, launch.accumulation_factor, fate)
    if not troubles:
        return AttemptPlan(begun, first, left, ends)
    trouble = min(troubles, key=lambda kind: troubles[kind])
    at_s = troubles[trouble]
    stall_s = silent_s * float(fate.uniform(0.5, 2.0)) if trouble is InjectedFault.HANG else 0.0
    ends = tuple(end + stall_s * (end > at_s) for end in ends)
    return AttemptPlan(begun, first, left, ends, trouble, at_s, stall_s)


def _troubles(
    ends: tuple[float, ...], faults: FaultModel, factor: int, fate: np.random.Generator
) -> dict[InjectedFault, float]:
    """Return what would befall an attempt, and when."""
    found = {}
    if fate.random() < faults.crash:
        found[InjectedFault.CRASH] = ends[int(fate.integers(len(ends)))]
    chances = {
        InjectedFault.OUT_OF_MEMORY: faults.out_of_memory / factor,
        InjectedFault.NODE_LOSS: faults.node_loss,
        InjectedFault.PREEMPT: faults.preempt,
        InjectedFault.HANG: faults.hang,
    }
    for kind, chance in chances.items():
        if chance and fate.random() < chance:
            found[kind] = float(fate.random()) * ends[-1]
    return found
