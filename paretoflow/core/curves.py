"""Training curves: the numbers that a trainer logged after each optimiser step."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

KEYS = ("run_id", "attempt", "step", "time_s")
"""Columns of every table of curves that are no logged values."""
_ORDER = [
    re.compile(pattern)
    for pattern in (
        r"loss$", r"reward$", r"rewards/.*/mean$", r"kl$", r"learning_rate$", r"grad_norm$",
        r"loss/", r"rewards/|reward", r"",
    )
]  # fmt: skip
"""Names of logged values, in the order in which they are shown."""


@dataclass(frozen=True)
class CurvePoint:
    """Values that a trainer logged after one optimiser step.

    Args:
        step: Optimiser steps done.
        time_s: Seconds since the epoch.
        values: Numbers by name, finite or not.
    """

    step: int
    time_s: float
    values: Mapping[str, float]


@dataclass(frozen=True)
class AttemptRows:
    """The curve of one attempt.

    Args:
        number: Number of the attempt.
        steps: Its steps, growing.
        values: Logged numbers by name, in the order of the steps; None where one was not logged.
    """

    run_id: str
    number: int
    steps: Sequence[int]
    values: Mapping[str, Sequence[float | None]]

    def ends(self, name: str) -> str:
        """Return the first and the last value of a name as text; empty without one."""
        said = [v for v in self.values.get(name, ()) if v is not None]
        return f"{said[0]:.4g} to {said[-1]:.4g}" if said else ""

    def largest(self, name: str) -> str:
        """Return the largest value of a name as text, nan before all; empty without one."""
        said = [v for v in self.values.get(name, ()) if v is not None]
        return f"{max(said, key=lambda v: (math.isnan(v), v)):.4g}" if said else ""

    def not_finite(self) -> list[str]:
        """Return the values that are not finite, each as `loss nan at step 7`."""
        return [
            f"{name} {value} at step {step}"
            for name, values in self.values.items()
            for step, value in zip(self.steps, values, strict=True)
            if value is not None and not math.isfinite(value)
        ]


def attempts_in(table: pa.Table) -> list[AttemptRows]:
    """Return the attempts in a table of curves, each with the names that it logged."""
    runs, turns = table["run_id"].to_pylist(), table["attempt"].to_pylist()
    ends = [i for i in range(1, len(runs)) if (runs[i], turns[i]) != (runs[i - 1], turns[i - 1])]
    bounds = [0, *ends, len(runs)] if runs else []
    return [
        _attempt_rows(table.slice(start, end - start)) for start, end in itertools.pairwise(bounds)
    ]


def _attempt_rows(part: pa.Table) -> AttemptRows:
    names = [n for n in part.column_names[len(KEYS) :] if part[n].null_count < part.num_rows]
    return AttemptRows(
        part["run_id"][0].as_py(),
        part["attempt"][0].as_py(),
        part["step"].to_pylist(),
        {name: part[name].to_pylist() for name in names},
    )


def by_worth(names: Sequence[str]) -> list[str]:
    """Return names of logged values, those first that most readers look for."""
    return sorted(names, key=lambda name: next(i for i, p in enumerate(_ORDER) if p.match(name)))
