"""Outcomes of constrained launches, judged on the evaluation prompts, which steered none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paretoflow.core.evaluation import Evaluation, standard_errors
from paretoflow.core.status import RunStatus
from paretoflow.core.values import BASE_RUN_ID, FloatArray, LaunchKind, Problem, Proposal, RunRecord
from paretoflow.front.orient import gains_of


@dataclass(frozen=True)
class Outcome:
    """Outcome of a constrained launch; gains are oriented, in the objectives' units.

    Args:
        target: Index of the objective to improve.
        room: Gain less threshold, shape (m,): below 0 where the launch misses the threshold, inf
            where there is no threshold.
        change: Change of the gains from its parent, shape (m,).
        stderr: Standard error of the change, shape (m,).
    """

    target: int
    room: FloatArray
    change: FloatArray
    stderr: FloatArray

    @property
    def kept(self) -> bool:
        """Return whether the launch keeps every threshold, within one standard error."""
        return bool((self.room >= -self.stderr).all())

    @property
    def gain(self) -> float:
        """Return the change of the target's gain."""
        return float(self.change[self.target])

    @property
    def improved(self) -> bool:
        """Return whether the target is better than the parent's."""
        return self.gain > 0

    def words(self, problem: Problem) -> str:
        """Return the outcome in words: `missed length by 3.1 ± 0.8; quality improved by 0.02`.

        An improvement is a positive number, in either direction of the objective.
        """
        how = "improved" if self.improved else "got worse"
        error = f"{self.stderr[self.target]:.2g}"
        better = f"{problem.names[self.target]} {how} by {abs(self.gain):.3g} ± {error}"
        if self.kept:
            return f"kept its thresholds; {better}"
        short = np.flatnonzero(self.room < -self.stderr)
        missed = " and ".join(
            f"{problem.names[i]} by {-self.room[i]:.3g} ± {self.stderr[i]:.2g}" for i in short
        )
        return f"missed {missed}; {better}"

    def to_dict(self, problem: Problem) -> dict[str, Any]:
        """Return plain JSON values."""
        bounded = np.flatnonzero(np.isfinite(self.room))
        return {
            "target": problem.names[self.target],
            "gain": self.gain,
            "gain_stderr": float(self.stderr[self.target]),
            "kept": self.kept,
            "room": {problem.names[i]: float(self.room[i]) for i in bounded},
            "room_stderr": {problem.names[i]: float(self.stderr[i]) for i in bounded},
        }


def outcome_of(
    proposal: Proposal, own: FloatArray, parent: FloatArray, stderr: FloatArray
) -> Outcome | None:
    """Return the outcome of a launch; None if it has no thresholds or no target.

    By hand: from gains (1, 5) with thresholds (., 4) to (2, 3.5): room -0.5, change (1, -1.5).

    Args:
        proposal: Has thresholds and a target if it is constrained.
        own: Gains of its last checkpoint, shape (m,).
        parent: Gains of its parent, shape (m,).
        stderr: Standard error of the difference, shape (m,).
    """
    if proposal.kind is not LaunchKind.CONSTRAINED or proposal.thresholds is None:
        return None
    if proposal.target is None:
        return None
    bounds = np.array(proposal.thresholds, dtype=np.float64)
    bounds[proposal.target] = -np.inf
    return Outcome(proposal.target, own - bounds, own - parent, stderr)


def outcomes_of(
    problem: Problem, runs: Iterable[RunRecord], evaluations: Sequence[Evaluation]
) -> dict[str, Outcome]:
    """Return the outcome of each finished constrained launch, by run."""
    last = {row.run_id: row for row in evaluations}
    by_name = {row.snapshot_id: row for row in evaluations}
    found: dict[str, Outcome] = {}
    for run in runs:
        own = last.get(run.run_id)
        if own is None or run.status is not RunStatus.FINISHED:
            continue
        parent = by_name.get(run.proposal.parent or "", last.get(BASE_RUN_ID))
        if parent is None:
            continue
        ended, began = (gains_of(row.scores, problem) for row in (own, parent))
        outcome = outcome_of(run.proposal, ended, began, difference_error(own, parent))
        if outcome is not None:
            found[run.run_id] = outcome
    return found


def outcome_facts(
    problem: Problem | None, runs: Iterable[RunRecord], evaluations: Sequence[Evaluation]
) -> dict[str, Any] | None:
    """Return the outcomes of the constrained launches as plain JSON values; None without any."""
    found = {} if problem is None else outcomes_of(problem, runs, evaluations)
    if problem is None or not found:
        return None
    return {
        "finished": len(found),
        "kept": sum(o.kept for o in found.values()),
        "improved": sum(o.kept and o.improved for o in found.values()),
        "runs": {
            run_id: {**o.to_dict(problem), "text": o.words(problem)} for run_id, o in found.items()
        },
    }


def difference_error(one: Evaluation, other: Evaluation) -> FloatArray:
    """Return the standard error of the difference of two evaluations' scores, shape (m,).

    It is taken prompt by prompt if both have the same prompts, else as of independent means.
    """
    a, b = one.prompt_scores, other.prompt_scores
    if one.data == other.data and a.shape == b.shape and a.ndim == 2 and a.shape[1] > 1:
        return standard_errors(a - b)
    return np.asarray(np.hypot(one.stderr, other.stderr), dtype=np.float64)
