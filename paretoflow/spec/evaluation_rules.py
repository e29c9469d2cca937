"""Rules for sweeps that evaluate checkpoints again; see `rules`."""

from __future__ import annotations

from collections.abc import Iterator

from paretoflow.spec.draft import Draft
from paretoflow.spec.positions import Fault
from paretoflow.spec.proposers import ReevaluateProposerSpec


def looks_again(draft: Draft) -> Iterator[Fault]:
    """Yield faults of a proposer of second looks: one within another, or nothing new to see."""
    proposer = draft.proposer
    if not isinstance(proposer, ReevaluateProposerSpec):
        return
    if isinstance(proposer.of, ReevaluateProposerSpec):
        what = "got reevaluate within reevaluate; allowed: any other proposer"
        yield Fault(("proposer", "of"), what, "raise the share of the outer one instead")
    if draft.model is not None and draft.model.generation.temperature == 0:
        what = "at temperature 0 a checkpoint gives the same answers again, so nothing is learnt"
        hint = "1.0 samples the model as it is; or take the inner proposer alone"
        yield Fault(("model", "generation", "temperature"), what, hint)
