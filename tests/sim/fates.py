"""What may happen to a driver at a commit, and who decides it."""

from __future__ import annotations

from collections.abc import Mapping
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


AT_CALLS = {"poll": 0.1, "wait": 0.1, "away": 0.5, "place": 5.0, "start": 5.0, "begin": 5.0}
"""How much likelier a blow is at some calls than at others.

Between a group's `place` and `start`, or the `begin` of two ranks, little time passes, and much can
go wrong; "away" is any call while storage is away: what was reported is not in the ledger yet.
"""


class Fate(Protocol):
    """Decides what happens at each commit, before it lands and between landing and answer."""

    def next(self) -> Blow | None:
        """Return what happens now; None lets the commit be."""
        ...

    def at_call(self, what: str) -> Blow | None:
        """Return what happens as a driver does something: a kill, a rival, or nothing."""
        ...


class DrawnFate:
    """One sweep's dangers: each sweep is spared some of them, and the last drivers all."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        most = {
            Blow.KILL: 0.09,
            Blow.FAIL: 0.12,
            Blow.OUTAGE: 0.03,
            Blow.STOP: 0.05,
            Blow.RIVAL: 0.08,
        }
        self._bounds = np.cumsum(
            [p * rng.random() * int(rng.integers(0, 2)) for p in most.values()]
        )
        self._blows = [*most, None]
        self._kill, self._rival = rng.random(2) * rng.integers(0, 2, 2) * (0.007, 0.004)

    def next(self) -> Blow | None:
        drawn = self._rng.random()
        return self._blows[int(np.searchsorted(self._bounds, drawn, side="right"))]

    def at_call(self, what: str) -> Blow | None:
        drawn = self._rng.random() / AT_CALLS.get(what, 1.0)
        if drawn < self._kill:
            return Blow.KILL
        return Blow.RIVAL if drawn < self._kill + self._rival else None


class OneBlow:
    """One blow at the n-th chance, counted from 0, and how many chances there were."""

    def __init__(self, blow: Blow | None, at: int) -> None:
        self._blow, self._at, self.chances = blow, at, 0

    def next(self) -> Blow | None:
        self.chances += 1
        return self._blow if self.chances == self._at + 1 else None

    def at_call(self, what: str) -> Blow | None:
        return None


class AimedFate:
    """Blows at some commits and calls, each with a probability of its own."""

    def __init__(
        self,
        rng: np.random.Generator,
        commits: Mapping[Blow, float] | None = None,
        kills: Mapping[str, float] | None = None,
        rivals: Mapping[str, float] | None = None,
    ) -> None:
        self._rng = rng
        self._commits, self._kills, self._rivals = commits or {}, kills or {}, rivals or {}

    def next(self) -> Blow | None:
        drawn = self._rng.random()
        for blow, chance in self._commits.items():
            if (drawn := drawn - chance) < 0:
                return blow
        return None

    def at_call(self, what: str) -> Blow | None:
        drawn = self._rng.random() - self._kills.get(what, 0.0)
        if drawn < 0:
            return Blow.KILL
        return Blow.RIVAL if drawn < self._rivals.get(what, 0.0) else None
