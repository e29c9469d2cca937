"""The faults of a simulated attempt: decided at its start, by seed alone."""

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
        out_of_memory: The attempt is out of memory; half as likely with batches half as large.
        node_loss: The worker group's node is lost, and every worker group on it.
        preempt: The worker group's machine is taken back; a notice leaves time to save.
        hang: The worker group falls silent: shorter than `engine.limits.silent_s`, or until it is
            given up; its results then arrive late.
        duplicate: Probability that a report arrives twice.
        delay: Probability that a fragment, or a report, arrives late.
        delay_s: Mean delay, in virtual seconds.
        groups_per_node: Number of worker groups on a node, which are lost with it.
        noticed_s: Time until a lost worker group is detected and its machine replaced.
        full_disks: Periods in which worker groups cannot write their results.
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
    """A fault that ends an attempt early, or delays it."""

    CRASH = "crash"
    OUT_OF_MEMORY = "out_of_memory"
    NODE_LOSS = "node_loss"
    PREEMPT = "preempt"
    HANG = "hang"


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
        trouble: Fault of the attempt itself, or None.
        trouble_s: Time of the fault, in seconds after the start.
        stall_s: Duration of the silence at a hang, in seconds.
    """

    begun: SavedProgress
    first: int
    points: tuple[CheckedPoint, ...]
    ends: tuple[float, ...]
    trouble: InjectedFault | None = None
    trouble_s: float = float("inf")
    stall_s: float = 0.0

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
    launch: Launch,
    begun: SavedProgress,
    faults: FaultModel,
    silent_s: float,
    fate: np.random.Generator,
) -> AttemptPlan:
    """Make the plan of one attempt.

    Args:
        points: Checkpoints of the whole run, at least one.
        launch: The attempt.
        begun: Progress from which it continues.
        faults: Probabilities of faults.
        silent_s: Longest silence before a worker group is given up, in seconds.
        fate: Random generator of this attempt.
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
    """Draw the faults of an attempt, with their times."""
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
