"""End a run early when its likelihoods are over-optimised, as its spec asks.

What was seen so far lies beside the trainer state, so that a run that goes on from there decides as
one that was never interrupted. (A crash between a state and its evaluation loses the evaluation,
and with it the watch begins anew.) Only the rank that evaluates keeps a watch.
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
"""In a folder of trainer state: what the run's evaluations saw up to that step."""


class EarlyStopping:
    """Watches one run.

    Args:
        spec: When to end it.
        steps: Of the whole run.
        base: Diagnostics of the base, with its top-k entropy and mass.
        state: Folder of the trainer state that the run goes on from; None where it starts.

    Attributes:
        reason: Why the run ends at its last look; empty while it goes on.

    Raises:
        MethodError: If what lies in `state` is damaged.
    """

    def __init__(
        self, spec: EarlyStopSpec, steps: int, base: Mapping[str, float], state: Path | None
    ) -> None:
        self._spec, self._steps, self._base = spec, steps, base
        self._looks = _read(state)
        self.reason = ""

    def look(self, checkpoint: Checkpoint, diagnostics: Mapping[str, float]) -> None:
        """Take in what a checkpoint's evaluation saw; one without the signals does not count."""
        look = Look.of(checkpoint.step, diagnostics)
        if look is not None:
            self._looks.append(look)
        if look is not None and not checkpoint.final:
            self.reason = over_optimised(self._spec, self._steps, self._base, self._looks)
        if checkpoint.state is not None:
            self.save(checkpoint.state)

    def save(self, state: Path) -> None:
        """Write what was seen into a folder of trainer state."""
        write_durably(
            partial := state / f".{LOOKS_FILE}",
            json.dumps([asdict(look) for look in self._looks]).encode(),
        )
        partial.replace(state / LOOKS_FILE)


def settles_itself(method: MethodSpec, asked: Proposal) -> bool:
    """Return whether a run chooses its result itself at its end, so that none may come before.

    A constrained run does: its looks see what is lost, and it goes back to what kept all it must.
    """
    return asked.kind is LaunchKind.CONSTRAINED and method.dual.result == "feasible"


def _read(state: Path | None) -> list[Look]:
    # a state saved before its first evaluation, or by a sweep that watched for nothing, has none
    if state is None or not (state / LOOKS_FILE).is_file():
        return []
    try:
        rows = json.loads((state / LOOKS_FILE).read_text(encoding="utf-8"))
        return [Look(**row) for row in rows]
    except (ValueError, TypeError) as error:
        what = f"what earlier evaluations saw cannot be read: {error}"
        hint = "remove the file: they are left out then"
        raise MethodError(what, str(state / LOOKS_FILE), hint, code="training-state") from error
