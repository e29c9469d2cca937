"""The method of launches that have nothing to train for: the adapter they would start from."""

from __future__ import annotations

import time
from collections.abc import Callable

from paretoflow.core.protocols import Checkpoint, TrainRequest
from paretoflow.lm.adapters import fresh_adapter, load_adapter, save_adapter, unload
from paretoflow.methods.merging.at_once import report_at_once
from paretoflow.methods.training.context import MethodContext


class UntrainedMethod:
    """Reports a launch's adapter as it is before any step; satisfies `core.protocols.Method`.

    A launch with all its weight on a system cost is served so: no training lowers the cost, and
    what its settings say, for instance the rank, is in the adapter. A fresh one answers as the base
    does. One final checkpoint at step 0 comes of it; of several ranks the first does it alone.
    """

    def __init__(self, context: MethodContext) -> None:
        self._context = context

    def train(self, request: TrainRequest, report: Callable[[Checkpoint], None]) -> None:
        """Make, save and report the adapter; see `core.protocols.Method`.

        Raises:
            ModelError: If no adapter fits, or the parent's cannot be put on the base.
        """
        if request.parallel.rank > 0:
            return
        began = time.perf_counter()
        lm, folder = self._context.lm, request.folder / "untrained"
        if request.parent_adapter is None:
            model = fresh_adapter(lm, self._context.lora, request.seed)
        else:
            model = load_adapter(lm, request.parent_adapter, trainable=False)
        try:
            save_adapter(model, folder)
            report_at_once(model, folder, request, began, report)
        finally:
            unload(model)
