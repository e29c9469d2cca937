"""Where a sweep's progress is told besides its own ledger: experiment trackers, off by default.

To add a tracker:

1. join the union in `spec/tracking.py` with `type: Literal["<tag>"]` and its knobs;
2. write `tracking/<tag>.py` with a class that is built from its spec and keeps the promises of
   `Tracker`;
3. add its line to `TAGS` and to `LIBRARIES`;
4. add an example to `tests/contracts/test_trackers.py`, which proves the promises with the
   library's own client.

A tracker is told; it decides nothing and nothing is read back from it. It may raise what it likes:
`following.Trackers` keeps it in a thread of its own and drops it at its first error. Keys and
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
"""Every tracker, as `module:Class`, imported only when used."""

LIBRARIES = {"tensorboard": "tensorboardX", "mlflow": "mlflow", "wandb": "wandb"}
"""Module of each tracker's client, which `check` looks for."""


@dataclass(frozen=True)
class TrackedSweep:
    """The sweep that is told of.

    Args:
        sweep: Its name.
        key: Its identity, the same whenever it is resumed; fit for a file name.
        facts: What a person would look for it by: method, proposer, objectives, …
    """

    sweep: str
    key: str
    facts: Mapping[str, str]


@dataclass(frozen=True)
class Point:
    """What is told of one evaluation.

    Args:
        step: Number of the evaluation, counting from 0 (the base).
        time_s: When, in seconds since the epoch.
        values: Finite numbers by name, `score/length`, `front/hypervolume`, …
    """

    step: int
    time_s: float
    values: Mapping[str, float]


class Tracker(Protocol):
    """One client; built without touching network or disk, used from one thread."""

    def open(self, subject: TrackedSweep) -> int:
        """Begin, or go on with what was told of the sweep before.

        Returns:
            The first step that is not known there.
        """
        ...

    def log(self, points: Sequence[Point]) -> None:
        """Tell of evaluations, in ascending order; a step may come again with further values."""
        ...

    def close(self, *, ended: bool) -> None:
        """Send what is left.

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
