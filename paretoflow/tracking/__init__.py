"""Experiment trackers, which report a sweep's progress outside its ledger; off by default.

To add a tracker:

1. add its spec to the union in `spec/tracking.py` with `type: Literal["<tag>"]` and its options;
2. write `tracking/<tag>.py` with a class that is built from its spec and implements `Tracker`;
3. add its line to `TAGS` and to `LIBRARIES`;
4. add an example to `tests/contracts/test_trackers.py`, which tests the contract with the
   library's own client.

A tracker only receives data; it decides nothing, and no results are read from it. It may raise any
error: `following.Trackers` runs it in its own thread and drops it at its first error. Keys and
passwords come from the environment only.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from paretoflow.core.errors import PluginError
from paretoflow.spec.tracking import TrackerSpec

__all__ = ["LIBRARIES", "TAGS", "Point", "Subject", "Tracker", "build_tracker"]

TAGS: dict[str, str] = {
    "tensorboard": "paretoflow.tracking.tensorboard:TensorboardTracker",
    "mlflow": "paretoflow.tracking.mlflow:MlflowTracker",
    "wandb": "paretoflow.tracking.wandb:WandbTracker",
}
"""Trackers by tag, as `module:Class`, imported only when used."""
LIBRARIES = {"tensorboard": "tensorboardX", "mlflow": "mlflow", "wandb": "wandb"}
"""Module of each tracker's client; `check` checks that it is installed."""


@dataclass(frozen=True)
class TrackedSweep:
    """The sweep that a tracker reports.

    Args:
        sweep: Its name.
        key: Its identity, the same after each resume; valid as a file name.
        facts: Facts for searching: method, proposer, objectives, …
    """

    sweep: str
    key: str
    facts: Mapping[str, str]


@dataclass(frozen=True)
class Point:
    """Reported values of one evaluation.

    Args:
        step: Number of the evaluation, counting from 0 (the base).
        time_s: Time in seconds since the epoch.
        values: Finite numbers by name, `score/length`, `front/hypervolume`, …
    """

    step: int
    time_s: float
    values: Mapping[str, float]


class Tracker(Protocol):
    """One client; its constructor uses neither network nor disk; used from one thread."""

    def open(self, subject: TrackedSweep) -> int:
        """Begin a report, or continue that of an earlier session of the sweep.

        Returns:
            The first step that is not reported yet.
        """
        ...

    def log(self, points: Sequence[Point]) -> None:
        """Report evaluations, in ascending order; a step may be repeated with further values."""
        ...

    def close(self, *, ended: bool) -> None:
        """Send remaining data.

        Args:
            ended: Whether the sweep's budget is used up; otherwise it may be resumed.
        """
        ...


def build_tracker(spec: TrackerSpec) -> Tracker:
    """Return the tracker that a spec names.

    Raises:
        PluginError: If no tracker has its tag.
        MissingExtraError: If its library is not installed.
    """
    if spec.type not in TAGS:
        near = difflib.get_close_matches(spec.type, TAGS, 1)
        raise PluginError(
            f"no tracker is called {spec.type!r}; there are {', '.join(TAGS)}",
            hint=f"did you mean {near[0]}?" if near else "",
            code="plugin-unknown",
        )
    module, name = TAGS[spec.type].split(":")
    tracker: Tracker = getattr(importlib.import_module(module), name)(spec)
    return tracker
