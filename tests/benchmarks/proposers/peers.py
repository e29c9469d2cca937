"""Common alternatives to our proposers, and an upper bound, behind `propose`.

Peers of weights begin with the same launches as ours, corners and centre, and get the same history.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from paretoflow.core.protocols import Proposer
from paretoflow.core.values import FloatArray, History, LaunchKind, Proposal, WeightVector
from paretoflow.front.hypervolume import improvement
from paretoflow.proposers.asked import Asked, one_by_one, seed_for
from paretoflow.proposers.initial import initial_count, initial_launch
from paretoflow.proposers.spread import farthest_first
from tests.benchmarks.proposers.problems import REF, Target

REASON = "A peer chose it."


def asked_of(history: History, pending: Sequence[Proposal]) -> Asked:
    """Return every launch so far."""
    return Asked([*(r.proposal for r in history.runs), *pending])


def opening(asked: Asked, history: History, seed: int, name: str) -> Proposal | None:
    """Return the next of the corners and the centre; None when all were asked for."""
    names = history.problem.names
    return initial_launch(asked, initial_count(len(names), None), names, seed, name)


def weighted_launch(weights: FloatArray, seed: int, name: str, tag: str = "") -> Proposal:
    """Return a peer's weighted launch."""
    vector = WeightVector.of(np.clip(weights, 0.0, None))
    return Proposal(LaunchKind.WEIGHTED, vector, seed, REASON, name, tag=tag)


def weights_of(sticks: Sequence[float]) -> FloatArray:
    """Return weights from m - 1 numbers in [0, 1]: uniform numbers give uniform weights.

    Each stick breaks a share off what is left. By hand: (.5,) gives (.5, .5); (0, 0) gives
    (0, 0, 1); (1, x) gives (1, 0, 0).
    """
    left, weights = 1.0, []
    for i, stick in enumerate(sticks):
        part = left * (1 - (1 - stick) ** (1 / (len(sticks) - i)))
        weights.append(part)
        left -= part
    return np.array([*weights, max(left, 0.0)])


def sticks_of(weights: FloatArray) -> list[float]:
    """Return the numbers that `weights_of` makes these weights from."""
    left, sticks = 1.0, []
    for i, weight in enumerate(weights[:-1]):
        share = min(1.0, weight / left) if left > 1e-12 else 1.0
        sticks.append(float(1 - (1 - share) ** (len(weights) - 1 - i)))
        left -= weight
    return sticks


class Generational:
    """Waits for a whole generation before it proposes the next one, as C-MORL's code does.

    Args:
        inner: Who proposes.
    """

    def __init__(self, inner: Proposer) -> None:
        self._inner = inner

    def propose(
        self, history: History, pending: Sequence[Proposal], count: int, seed: int
    ) -> list[Proposal]:
        """Return a launch for each idle worker once all runs have ended."""
        return [] if pending else self._inner.propose(history, pending, count, seed)


class Greedy:
    """Knows the front: launches straight at the point that adds most hypervolume to those before.

    The upper bound that no proposer can know enough to reach.

    Args:
        target: The front.
    """

    def __init__(self, target: Target) -> None:
        self._points = greedy_points(target.gains.tobytes(), target.m)

    def propose(
        self, history: History, pending: Sequence[Proposal], count: int, seed: int
    ) -> list[Proposal]:
        """Return launches at the points not tried yet; failed ones are repeated."""
        failed = {r.proposal.tag for r in history.runs if r.status.value == "failed"}
        tried = {r.proposal.tag for r in history.runs} - failed | {p.tag for p in pending}

        def choose(asked: Asked, now: Sequence[Proposal]) -> Proposal | None:
            taken = tried | {p.tag for p in now}
            free = (i for i in range(len(self._points)) if str(i) not in taken)
            number = next(free, len(asked) % len(self._points))
            return Proposal(
                LaunchKind.CONSTRAINED,
                WeightVector.of(np.ones(history.problem.m)),
                seed_for(seed, asked),
                REASON,
                "greedy",
                target=0,
                thresholds=tuple(self._points[number].tolist()),
                tag=str(number),
            )

        return one_by_one(choose, asked_of(history, pending), pending, count)


MOST_POINTS = 64
CANDIDATES = 300


@cache
def greedy_points(front: bytes, m: int) -> FloatArray:
    """Return points of a front, each the one that adds most hypervolume to those before it.

    Args:
        front: The bytes of gains, shape (k, m).
        m: Number of objectives.
    """
    gains = np.frombuffer(front, dtype=np.float64).reshape(-1, m)
    if len(gains) > CANDIDATES:
        ends = np.unique(gains.argmax(axis=0))
        more = farthest_first(gains, gains[ends], CANDIDATES - len(ends))
        gains = gains[np.concatenate([ends, more]).astype(int)]
    ref = np.full(m, REF)
    chosen: list[int] = []
    # a point's gain only falls as others are added: the largest old bound that still holds wins
    bounds = np.full(len(gains), np.inf)
    while len(chosen) < min(MOST_POINTS, len(gains)):
        while True:
            best = int(bounds.argmax())
            before = bounds[best]
            bounds[best] = improvement(gains[[best]], gains[chosen], ref)[0]
            if bounds[best] >= np.delete(bounds, best).max(initial=0.0) or before == bounds[best]:
                break
        chosen.append(best)
        bounds[best] = -1.0
    return gains[chosen]
