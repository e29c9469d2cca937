"""End a run early when its likelihoods are over-optimised, as its spec configures.

The observations so far are kept beside the trainer state, so that a run that resumes from there
decides like an uninterrupted one. (A crash between a state and its evaluation loses the evaluation,
and then the observation starts again.) Only the worker that evaluates observes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from paretoflow.core.errors import MethodError
from paretoflow.core.protocols import Checkpoint
from paretoflow.core.values import LaunchKind, Proposal
from paretoflow.scoring.signals import Look, over_optimised
from paretoflow.spec.methods import MethodSpec
from paretoflow.spec.methods.base import EarlyStopSpec
from paretoflow.storage.durable import write_durably

LOOKS_FILE = "paretoflow_looks.json"
"""File in a folder of trainer state: the observations of the run's evaluations up to that step."""


class EarlyStopping:
    """Decides whether one run ends early.

    Args:
        spec: Conditions of an early end.
        steps: Optimiser steps of the whole run.
        base: Diagnostics of the base, with its top-k entropy and mass.
        state: Folder of the trainer state that the run resumes from; None for a new run.

    Attributes:
        reason: Reason for the run's end at its last evaluation; empty while it continues.

    Raises:
        MethodError: If the observations in `state` are damaged.
    """

    def __init__(
        self, spec: EarlyStopSpec, steps: int, base: Mapping[str, float], state: Path | None
    ) -> None:
        self._spec, self._steps, self._base = spec, steps, base
        self._looks = _read(state)
        self.reason = ""

    def look(self, checkpoint: Checkpoint, diagnostics: Mapping[str, float]) -> None:
        """Record the diagnostics of a checkpoint; one without the signals does not count."""
        look = Look.of(checkpoint.step, diagnostics)
        if look is not None:
            self._looks.append(look)
        if look is not None and not checkpoint.final:
            self.reason = over_optimised(self._spec, self._steps, self._base, self._looks)
        if checkpoint.state is not None:
            self.save(checkpoint.state)

    def save(self, state: Path) -> None:
        """Write the observations into a folder of trainer state."""
        write_durably(
            partial := state / f".{LOOKS_FILE}",
            json.dumps([asdict(look) for look in self._looks]).encode(),
        )
        partial.replace(state / LOOKS_FILE)


def settles_itself(method: MethodSpec, asked: Proposal) -> bool:
    """Check whether a run chooses its result itself at its end, so that it must not end earlier.

    A constrained run does: its validation looks detect a loss, and it returns to a checkpoint that
    kept all thresholds.
    """
    return asked.kind is LaunchKind.CONSTRAINED and method.dual.result == "feasible"


def _read(state: Path | None) -> list[Look]:
    # a state from before the first evaluation, or from a sweep without early stopping, has no file
    if state is None or not (state / LOOKS_FILE).is_file():
        return []
    try:
        rows = json.loads((state / LOOKS_FILE).read_text(encoding="utf-8"))
        return [Look(**row) for row in rows]
    except (ValueError, TypeError) as error:
        what = f"what earlier evaluations saw cannot be read: {error}"
        hint = "remove the file: they are left out then"
        raise MethodError(what, str(state / LOOKS_FILE), hint, code="training-state") from error
