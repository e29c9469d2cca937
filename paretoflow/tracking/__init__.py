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

__all__ = ["LIBRARIES", "TAGS", "Point", "TrackedSweep", "Tracker", "build_tracker"]

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
    """The sweep that a tracker reports, or one training run of it.

    Args:
        sweep: Name of the sweep.
        key: Identity of the sweep or run, the same after each resume; valid as a file name.
        facts: Facts for searching: method, proposer, objectives, …
        run: Name of the training run; empty for the sweep as a whole.
        group: Key of the sweep that a training run belongs to; empty for the sweep itself.
    """

    sweep: str
    key: str
    facts: Mapping[str, str]
    run: str = ""
    group: str = ""


@dataclass(frozen=True)
class Point:
    """Reported values of one evaluation of a sweep, or one optimiser step of a training run.

    Args:
        step: Number of the evaluation, counting from 0 (the base); or optimiser steps done.
        time_s: Time in seconds since the epoch.
        values: Numbers by name, `score/length`, `front/hypervolume`, …; those of an evaluation are
            finite, those of a step, `loss`, `grad_norm`, …, are as they were logged.
    """

    step: int
    time_s: float
    values: Mapping[str, float]


class Tracker(Protocol):
    """One client for a sweep, or for a training run; used from one thread.

    Its constructor uses neither network nor disk.
    """

    def open(self, subject: TrackedSweep) -> int:
        """Begin a report, or continue that of an earlier session.

        Returns:
            The first step that is not reported yet.
        """
        ...

    def log(self, points: Sequence[Point]) -> None:
        """Report points, in ascending order; a step may be repeated with further values."""
        ...

    def close(self, *, ended: bool) -> None:
        """Send remaining data.

        Args:
            ended: Whether the sweep's budget is used up, or the run is over; otherwise it may be
                resumed.
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
