"""What befalls an attempt on a virtual cluster; decided at its start, by seed alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

import numpy as np

from paretoflow.core.launch import Launch
from paretoflow.engine.simulation.attempt import SimulatedAttempt
from paretoflow.engine.simulation.fault_model import AttemptPlan, FaultModel, SavedProgress
from paretoflow.engine.simulation.oracle_answers import CheckedPoint


@dataclass(frozen=True)
class AttemptFaults(FaultModel):
    """More faults, each as a probability for an attempt.

    Args:
        out_of_memory: The attempt is out of memory; half as likely with batches half as large.
        hang: The worker falls silent: shorter than `engine.limits.silent_s`, or longer.
        delay: Of a result: probability that it is told late.
        delay_s: Mean delay, in virtual seconds.
    """

    out_of_memory: float = 0.0
    hang: float = 0.0
    delay: float = 0.0
    delay_s: float = 1.0


class Trouble(StrEnum):
    """What ends an attempt early, or delays it."""

    CRASH = "crash"
    OUT_OF_MEMORY = "out_of_memory"
    HANG = "hang"


@dataclass(frozen=True)
class TroubledPlan(AttemptPlan):
    """The plan of one attempt, and its trouble.

    Args:
        trouble: What befalls the attempt itself, or None.
        trouble_s: When, in seconds after the start.
        stall_s: Duration of the silence at a hang, in seconds.
    """

    trouble: Trouble | None = None
    trouble_s: float = float("inf")
    stall_s: float = 0.0


@dataclass(eq=False, kw_only=True)
class VirtualAttempt(SimulatedAttempt):
    """An attempt, with its troubled plan.

    Args:
        fate: Random generator of this attempt.
        plan: Its plan; `course` is the same.
    """

    fate: np.random.Generator
    plan: TroubledPlan


def plan_of(
    points: Sequence[CheckedPoint],
    launch: Launch,
    begun: SavedProgress,
    faults: AttemptFaults,
    silent_s: float,
    fate: np.random.Generator,
) -> TroubledPlan:
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
        return TroubledPlan(begun, first, left, ends)
    trouble = min(troubles, key=lambda kind: troubles[kind])
    at_s = troubles[trouble]
    stall_s = silent_s * float(fate.uniform(0.5, 2.0)) if trouble is Trouble.HANG else 0.0
    ends = tuple(end + stall_s * (end > at_s) for end in ends)
    return TroubledPlan(begun, first, left, ends, trouble=trouble, trouble_s=at_s, stall_s=stall_s)


def _troubles(
    ends: tuple[float, ...], faults: AttemptFaults, factor: int, fate: np.random.Generator
) -> dict[Trouble, float]:
    """Draw the troubles of an attempt, with their times."""
    found = {}
    if fate.random() < faults.crash:
        found[Trouble.CRASH] = ends[int(fate.integers(len(ends)))]
    chances = {
        Trouble.OUT_OF_MEMORY: faults.out_of_memory / factor,
        Trouble.HANG: faults.hang,
    }
    for kind, chance in chances.items():
        if chance and fate.random() < chance:
            found[kind] = float(fate.random()) * ends[-1]
    return found
