"""Runs that train nothing: an adapter is there at once, and is told as the only checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from paretoflow.core.cost import Cost
from paretoflow.core.protocols import Checkpoint, TrainRequest


def report_at_once(
    model: Any,
    folder: Path,
    request: TrainRequest,
    began: float,
    report: Callable[[Checkpoint], None],
    metrics: Mapping[str, float] | None = None,
) -> None:
    """Report an adapter as the final checkpoint, at step 0; all ranks have waited for it.

    Args:
        model: The base with the adapter on it.
        folder: Where the adapter is saved.
        request: What asked for it.
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
            cost=Cost(wall_s, wall_s * request.parallel.ranks),
            weights=request.proposal.weights.array,
            metrics=metrics or {},
            model=model,
        )
    )
