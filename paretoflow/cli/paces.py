"""Progress of each run in training, and its remaining time at the pace so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

SHOWN = 8
"""Maximum worker groups in a display, which shows the first ones."""


class AtWork(Protocol):
    """The part of a worker group's state that is shown."""

    @property
    def run_id(self) -> str:
        """Return the run in training; empty when there is none."""
        ...

    @property
    def attempt(self) -> int:
        """Return the number of the run's attempt."""
        ...

    @property
    def step(self) -> int:
        """Return the optimiser steps done; -1 when not known."""
        ...

    @property
    def reason(self) -> str:
        """Return why the group waits; empty if it does not wait."""
        ...


def duration(seconds: float) -> str:
    """Return seconds as `42 s`, `3 min 05 s` or `2 h 07 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class Paces:
    """Stores the time and step at which each attempt was first seen.

    Args:
        steps: Optimiser steps of a run.
    """

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._first: dict[tuple[str, int], tuple[float, int]] = {}

    def lines(self, groups: Sequence[AtWork], now_s: float) -> list[tuple[str, str, str]]:
        """Return run, progress and remaining time of each run in training, and why others wait.

        Args:
            groups: The current worker groups.
            now_s: Seconds of a monotonic clock, the same clock at every call.
        """
        seen = {(g.run_id, g.attempt): (now_s, max(g.step, 0)) for g in groups if g.run_id}
        self._first = {key: self._first.get(key, at) for key, at in seen.items()}
        told = [g for g in groups if g.run_id or g.reason]
        lines = [self._line(group, now_s) for group in told[:SHOWN]]
        if len(told) > SHOWN:
            lines.append(("", f"… and {len(told) - SHOWN} more", ""))
        return lines

    def _line(self, group: AtWork, now_s: float) -> tuple[str, str, str]:
        if group.reason:
            return group.run_id, group.reason, ""
        if group.step >= self._steps:
            return group.run_id, f"step {self._steps}/{self._steps}, evaluating", ""
        since_s, at = self._first[group.run_id, group.attempt]
        done = group.step - at
        pace = (now_s - since_s) / done if done > 0 else 0.0
        left = f"about {duration(pace * (self._steps - group.step))} to its last step"
        return group.run_id, f"step {max(group.step, 0)}/{self._steps}", left if pace else ""
