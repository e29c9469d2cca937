"""Re-evaluations of a checkpoint, pooled with its first evaluation.

The ledger keeps each re-evaluation as a row of its own that names its checkpoint. Readers of the
state see one row for a checkpoint, in which every prompt's score is the mean over its answers so
far. All checkpoints are scored on the same prompts, and the k-th re-evaluation of any checkpoint
draws the k-th noise. So two checkpoints can still be compared prompt by prompt, however often each
was evaluated.
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
    """The runs that evaluate a checkpoint again, from their proposals and results."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._asked: dict[str, int] = {}
        self._told: set[str] = set()

    def __contains__(self, run_id: object) -> bool:
        """Check whether a run evaluates a checkpoint again."""
        return run_id in self._numbers

    def ask(self, run_id: str, proposal: Proposal) -> None:
        """Record a proposed run if it is a re-evaluation."""
        if proposal.kind is LaunchKind.REEVALUATE:
            snapshot = proposal.parent or BASE_RUN_ID
            self._asked[snapshot] = self._numbers[run_id] = self._asked.get(snapshot, 0) + 1

    def number(self, run_id: str) -> int:
        """Return the number of re-evaluations of the same checkpoint proposed up to this run."""
        return self._numbers[run_id]

    def pool(
        self, further: Evaluation, rows: list[Evaluation], place_of: Mapping[str, int]
    ) -> int | None:
        """Pool another draw of a known checkpoint into its row.

        Two attempts of a run draw the same noise: only the first result counts.

        Args:
            further: The draw.
            rows: One row for each checkpoint; changed in place.
            place_of: Index of each checkpoint's row.

        Returns:
            Index of the changed row, if any.

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
    """Pool two rows of one checkpoint; the first keeps its place and time.

    With scores of several prompts, a prompt's score is the mean over its draws. The standard error
    is that of the mean over prompts, as for a single draw; it falls because averaging removes the
    draws' part of the spread between prompts. Without prompts (a simulation) the draws are
    independent.

    By hand, two prompts: draws (0, 2) and (2, 2) give (1, 2) together: 1.5 with error .5, after 1
    with error 1. Without prompts: errors .3 and .4 give sqrt(.09 + .16) / 2 = .25.

    Args:
        known: The row so far, of one draw or more.
        further: Another draw.

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
    """Return the mean over all draws of the metrics that every draw has; the others unchanged."""
    return {
        name: (draws * value + further[name]) / (draws + 1) if name in further else value
        for name, value in known.items()
    }


def require_alike(known: PriorEvaluation, data: str, inputs: str = "") -> None:
    """Refuse a checkpoint whose re-evaluation would not be comparable with its first evaluation.

    Args:
        known: The checkpoint to evaluate again.
        data: SHA-256 of the prompts of the new evaluation.
        inputs: SHA-256 of the inputs that the new scores depend on; empty where it is unknown.

    Raises:
        DataError: If it was scored on other prompts or with other inputs, or under a condition,
            which only its method can apply.
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
