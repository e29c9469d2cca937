"""What may happen to a driver at a commit, and who decides it."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import numpy as np


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the driver may catch it."""


class Blow(StrEnum):
    """What can happen at a commit."""

    KILL = "kill"
    """The driver is killed."""
    FAIL = "fail"
    """Storage fails this once."""
    OUTAGE = "outage"
    """Storage is away for a while, perhaps for longer than a driver waits."""
    STOP = "stop"
    """The user presses Ctrl-C."""
    RIVAL = "rival"
    """Another driver starts; this one continues when that one has died or ended."""


class Fate(Protocol):
    """Decides what happens at each commit, before it lands and between landing and answer."""

    def next(self) -> Blow | None:
        """Return what happens now; None lets the commit be."""
        ...


class DrawnFate:
    """One sweep's dangers: each sweep is spared some of them, and the last drivers all."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        most = {
            Blow.KILL: 0.2,
            Blow.FAIL: 0.2,
            Blow.OUTAGE: 0.03,
            Blow.STOP: 0.05,
            Blow.RIVAL: 0.08,
        }
        self._bounds = np.cumsum(
            [p * rng.random() * int(rng.integers(0, 2)) for p in most.values()]
        )
        self._blows = [*most, None]

    def next(self) -> Blow | None:
        drawn = self._rng.random()
        return self._blows[int(np.searchsorted(self._bounds, drawn, side="right"))]


class OneBlow:
    """One blow at the n-th chance, counted from 0, and how many chances there were."""

    def __init__(self, blow: Blow | None, at: int) -> None:
        self._blow, self._at, self.chances = blow, at, 0

    def next(self) -> Blow | None:
        self.chances += 1
        return self._blow if self.chances == self._at + 1 else None
