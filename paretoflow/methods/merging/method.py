"""The method of all merge launches: build an adapter from others and report it once."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module

from paretoflow.core.errors import PluginError
from paretoflow.core.protocols import AttemptContext, Checkpoint
from paretoflow.lm.adapters import load_adapter, unload
from paretoflow.lm.lora_files import write_lora
from paretoflow.methods.distributed.ranks import Ranks
from paretoflow.methods.distributed.sharded import lent
from paretoflow.methods.merging import WAYS
from paretoflow.methods.merging.mixed import Mixed, asked
from paretoflow.methods.merging.untrained import report_at_once
from paretoflow.methods.training.context import MethodContext


class MergeMethod:
    """Mixes the adapters of earlier runs; satisfies `core.protocols.Method` for merge launches.

    It reports one final checkpoint at step 0, in `merged`. Of several ranks the first does the work
    and the others lend it their
    shards of the base. Nothing is trained, so a stopped merge saves no state and
    starts again from the beginning.
    """

    def __init__(self, context: MethodContext) -> None:
        self._context = context

    def train(self, attempt: AttemptContext, report: Callable[[Checkpoint], None]) -> None:
        """Merge; see `core.protocols.Method`.

        Raises:
            AdapterError: If a parent is gone or was changed.
            ModelError: If a parent is broken, or belongs to another base, or the parents' targets
                or ranks do not allow this kind of merge.
            PluginError: If no kind of merge has this name.
            RunInterrupted: If `attempt.should_stop` returned True; no state is saved.
        """
        lm = self._context.lm
        with lent(lm.model, Ranks(attempt.parallel, lm.device)):
            if attempt.parallel.rank == 0:
                self._merge(attempt, report)

    def _merge(self, attempt: AttemptContext, report: Callable[[Checkpoint], None]) -> None:
        began = time.perf_counter()
        mixed = way_of(asked(attempt.launch).how)(self._context, attempt)
        folder = attempt.folder / "merged"
        write_lora(mixed.adapter, folder)
        model = load_adapter(self._context.lm, folder, trainable=False)
        try:
            report_at_once(model, folder, attempt, began, report, mixed.metrics)
        finally:
            unload(model)


def way_of(how: str) -> Callable[[MethodContext, AttemptContext], Mixed]:
    """Return the merge function of a tag.

    Raises:
        PluginError: If there is no such tag.
    """
    if how not in WAYS:
        raise PluginError(
            f"got the way to merge {how!r}; allowed: {', '.join(sorted(WAYS))}",
            code="plugin-unknown",
        )
    module, name = WAYS[how].split(":")
    way: Callable[[MethodContext, AttemptContext], Mixed] = getattr(import_module(module), name)
    return way
