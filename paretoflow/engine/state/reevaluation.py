"""Further evaluations of a checkpoint: which there are, and what all together say.

The ledger keeps each as a row of its own that names its checkpoint. Everything above it sees one
row for a checkpoint, in which every prompt's score is the mean over its answers so far. All
checkpoints are scored on the same prompts, and the k-th further evaluation of any of them draws the
k-th noise: so two checkpoints still compare prompt by prompt, however often each was evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from paretoflow.core.errors import DataError, LedgerError
from paretoflow.core.evaluation import Evaluation, standard_errors
from paretoflow.core.launch import PriorEvaluation
from paretoflow.core.values import BASE_RUN_ID, LaunchKind, Proposal


class Reevaluations:
    """The runs that evaluate a checkpoint again, as they are proposed and told."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._asked: dict[str, int] = {}
        self._told: set[str] = set()

    def __contains__(self, run_id: object) -> bool:
        """Return whether a run evaluates a checkpoint again."""
        return run_id in self._numbers

    def ask(self, run_id: str, proposal: Proposal) -> None:
        """Note a run that was proposed; do nothing if it does something else."""
        if proposal.kind is LaunchKind.REEVALUATE:
            snapshot = proposal.parent or BASE_RUN_ID
            self._asked[snapshot] = self._numbers[run_id] = self._asked.get(snapshot, 0) + 1

    def number(self, run_id: str) -> int:
        """Return how many runs were to evaluate the same checkpoint again, up to this one."""
        return self._numbers[run_id]

    def pool(
        self, further: Evaluation, rows: list[Evaluation], place_of: Mapping[str, int]
    ) -> int | None:
        """Let a further draw of a known checkpoint change its row.

        Two attempts at a run draw the same noise: only the first that is told counts.

        Args:
            further: The draw.
            rows: One for each checkpoint; changed in place.
            place_of: Where each checkpoint's row is.

        Returns:
            The row that has changed, if any.

        Raises:
            LedgerError: If the checkpoint was never evaluated, or not on the same prompts.
        """
        place = place_of.get(further.snapshot_id)
        if place is None:
            raise LedgerError(
                f"run {further.run_id} evaluates {further.snapshot_id} again, which never was",
                "ledger/events",
                code="ledger-inconsistent",
            )
        if further.run_id in self._told:
            return None
        self._told.add(further.run_id)
        rows[place] = pooled(rows[place], further)
        return place


def pooled(known: Evaluation, further: Evaluation) -> Evaluation:
    """Return what two rows of one checkpoint say together; the first keeps its place and time.

    With scores of several prompts: a prompt's score is the mean over its draws, and the standard
    error is that of the mean over prompts, as for a single draw; so it falls by what the draws
    added to the spread of the prompts. Without them (a simulation) the draws are independent.

    By hand, two prompts: draws (0, 2) and (2, 2) are (1, 2) together: 1.5 with error .5, after 1
    with error 1. Without prompts: errors .3 and .4 give sqrt(.09 + .16) / 2 = .25.

    Args:
        known: What was known, of one draw or more.
        further: One further draw.

    Raises:
        LedgerError: If they were not scored on the same prompts.
    """
    if known.prompt_scores.shape != further.prompt_scores.shape or known.data != further.data:
        raise LedgerError(
            f"{further.run_id} did not score {known.snapshot_id} on the prompts of its first "
            "evaluation",
            "ledger/events",
            code="ledger-inconsistent",
        )
    old, draws = known.draws, known.draws + 1
    prompts = (old * known.prompt_scores + further.prompt_scores) / draws
    if prompts.ndim == 2 and prompts.shape[1] > 1:
        scores, stderr = prompts.mean(axis=1), standard_errors(prompts)
    else:
        scores = (old * known.scores + further.scores) / draws
        stderr = np.hypot(old * known.stderr, further.stderr) / draws
    return replace(
        known,
        scores=scores,
        stderr=stderr,
        prompt_scores=prompts,
        draws=draws,
        cost=known.cost + further.cost,
        diagnostics=_means(known.diagnostics, further.diagnostics, old),
    )


def _means(
    known: Mapping[str, float], further: Mapping[str, float], draws: int
) -> dict[str, float]:
    """Return the mean over all draws of what every draw measured; the rest as it was."""
    return {
        name: (draws * value + further[name]) / (draws + 1) if name in further else value
        for name, value in known.items()
    }


def require_alike(known: PriorEvaluation, data: str, inputs: str = "") -> None:
    """Refuse a checkpoint whose further evaluation would say nothing about its first.

    Args:
        known: What is to be evaluated again.
        data: SHA-256 of the prompts that it would be scored on.
        inputs: SHA-256 of all that its scores would depend on; empty where it is not known.

    Raises:
        DataError: If it was scored on other prompts or otherwise, or asked for a preference by a
            condition, which only its method knows how to do.
    """
    if known.conditioned:
        raise DataError(
            "got a point of an adapter that serves many preferences; allowed: one that serves one",
            known.snapshot_id,
            "the method that asked for the preference evaluates it; raise data.eval instead",
        )
    if known.data != data:
        raise DataError(
            f"was scored on other prompts ({known.data[:12] or 'its trainer chose them'}), not on "
            f"the sweep's ({data[:12]})",
            known.snapshot_id,
            "only what the sweep itself has evaluated can be evaluated again",
        )
    if known.inputs and inputs and known.inputs != inputs:
        raise DataError(
            "was evaluated before a change of what scores depend on; another evaluation now would "
            "not be alike",
            known.snapshot_id,
            "`paretoflow status` tells what changed; evaluate again only what came after it",
        )
