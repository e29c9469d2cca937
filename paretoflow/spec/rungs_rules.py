"""Rules for sweeps that pause runs at rungs; see `rules`."""

from __future__ import annotations

from collections.abc import Iterator

from paretoflow.spec.draft import Draft
from paretoflow.spec.positions import Fault


def rungs(draft: Draft) -> Iterator[Fault]:
    """Yield faults of rungs that no checkpoint reaches before a run's end."""
    asked, method = draft.stop.rungs if draft.stop else None, draft.method
    if asked is None or method is None:
        return
    every = method.checkpoint_every or method.steps
    last = (method.steps - 1) // every * every
    if last == 0:
        what = "rungs compare checkpoints on the way, and a run has only its last one"
        hint = f"set method.checkpoint_every, for instance to {max(1, method.steps // 9)}"
        yield Fault(("stop", "rungs"), what, hint)
    elif asked.first is not None and asked.first > last:
        what = f"got {asked.first}; allowed: at most {last}, the last checkpoint before the end"
        yield Fault(("stop", "rungs", "first"), what, "remove it to begin at the first checkpoint")
