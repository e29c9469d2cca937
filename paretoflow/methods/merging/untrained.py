"""Launches without training: their adapter is the only checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from paretoflow.core.cost import Cost
from paretoflow.core.protocols import AttemptContext, Checkpoint
from paretoflow.lm.adapters import fresh_adapter, load_adapter, save_adapter, unload
from paretoflow.methods.distributed.ranks import Ranks
from paretoflow.methods.distributed.sharded import lent
from paretoflow.methods.training.context import MethodContext


def report_at_once(
    model: Any,
    folder: Path,
    attempt: AttemptContext,
    began: float,
    report: Callable[[Checkpoint], None],
    metrics: Mapping[str, float] | None = None,
) -> None:
    """Report an adapter as the final checkpoint, at step 0; its cost is the time of all ranks.

    Args:
        model: The base with the adapter on it.
        folder: Where the adapter is saved.
        attempt: The attempt to report for.
        began: Start of the work, by `time.perf_counter`.
        report: Receives the checkpoint.
        metrics: Metrics of the adapter.
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
    """Reports a launch's adapter before any training step; satisfies `core.protocols.Method`.

    It serves launches with all weight on a system cost: training does not lower the cost, and the
    adapter already has the launch's settings, for instance the rank. A new adapter answers as the
    base. It reports one final checkpoint at step 0; of several ranks the first does the work alone.
    """

    def __init__(self, context: MethodContext) -> None:
        self._context = context

    def train(self, attempt: AttemptContext, report: Callable[[Checkpoint], None]) -> None:
        """Create, save and report the adapter; see `core.protocols.Method`.

        Raises:
            AdapterError: If the parent's adapter is gone or was changed.
            ModelError: If no adapter fits, or the parent's cannot be put on the base.
        """
        lm = self._context.lm
        with lent(lm.model, Ranks(attempt.parallel, lm.device)):
            if attempt.parallel.rank == 0:
                self._report(attempt, report)

    def _report(self, attempt: AttemptContext, report: Callable[[Checkpoint], None]) -> None:
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
