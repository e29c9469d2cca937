"""Launches that train nothing: an adapter is there at once, and is the only checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from paretoflow.core.cost import Cost
from paretoflow.core.protocols import AttemptContext, Checkpoint
from paretoflow.lm.adapters import fresh_adapter, load_adapter, save_adapter, unload
from paretoflow.methods.training.context import MethodContext


def report_at_once(
    model: Any,
    folder: Path,
    attempt: AttemptContext,
    began: float,
    report: Callable[[Checkpoint], None],
    metrics: Mapping[str, float] | None = None,
) -> None:
    """Report an adapter as the final checkpoint, at step 0; all ranks have waited for it.

    Args:
        model: The base with the adapter on it.
        folder: Where the adapter is saved.
        attempt: What asked for it.
        began: When its making began, by `time.perf_counter`.
        report: Is told.
        metrics: Of its making.
    """
    wall_s = time.perf_counter() - began
    report(
        Checkpoint(
            step=0,
            folder=folder,
            final=True,
            cost=Cost(wall_s, wall_s * attempt.parallel.ranks),
            weights=attempt.launch.proposal.weights.array,
            metrics=metrics or {},
            model=model,
        )
    )


class UntrainedMethod:
    """Reports a launch's adapter as it is before any step; satisfies `core.protocols.Method`.

    A launch with all its weight on a system cost is served so: no training lowers the cost, and
    what its settings say, for instance the rank, is in the adapter. A fresh one answers as the base
    does. One final checkpoint at step 0 comes of it; of several ranks the first does it alone.
    """

    def __init__(self, context: MethodContext) -> None:
        self._context = context

    def train(self, attempt: AttemptContext, report: Callable[[Checkpoint], None]) -> None:
        """Make, save and report the adapter; see `core.protocols.Method`.

        Raises:
            AdapterError: If the parent's is gone or was changed.
            ModelError: If no adapter fits, or the parent's cannot be put on the base.
        """
        if attempt.parallel.rank > 0:
            return
        began = time.perf_counter()
        lm, folder, parent = self._context.lm, attempt.folder / "untrained", attempt.parent()
        if parent is None:
            model = fresh_adapter(lm, self._context.lora, attempt.launch.seed)
        else:
            model = load_adapter(lm, parent, trainable=False)
        try:
            save_adapter(model, folder)
            report_at_once(model, folder, attempt, began, report)
        finally:
            unload(model)
