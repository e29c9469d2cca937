"""Caveats about a sweep's results, one sentence each."""

from __future__ import annotations

import numpy as np

from paretoflow.core.evaluation import Evaluation
from paretoflow.core.values import BASE_RUN_ID, FloatArray, Problem
from paretoflow.core.views import CUT_OFF
from paretoflow.engine.state.sweep_state import SweepState
from paretoflow.front.orient import gains_of, ref_gains
from paretoflow.front.outcomes import difference_error

CUT_SHARE = 0.05
"""Smallest share of truncated answers that is reported."""
ERRORS = 2.0
"""Number of standard errors by which a point must be better than the base, in some objective."""


def notes_of(state: SweepState) -> tuple[str, ...]:
    """Return the notes of a sweep; none before its first evaluation."""
    problem, rows = state.problem, state.evaluations
    if problem is None or not rows:
        return ()
    told = [note for row in rows[:1] for note in row.notes]
    front = [rows[int(i)] for i in state.front_indices]
    found = (
        *_constant(rows, problem),
        _beyond(rows, problem),
        _within_errors(rows, front, problem),
        _cut(rows, front),
    )
    return (*told, *(note for note in found if note))


def _constant(rows: list[Evaluation], problem: Problem) -> list[str]:
    """Note objectives in which all evaluations have the same score."""
    if len(rows) < 2:
        return []
    notes = []
    for i, info in enumerate(problem.objectives):
        seen = {float(v) for row in rows for v in _scores(row, i)}
        if len(seen) == 1:
            value = f"{seen.pop():.4g} in all {len(rows)} evaluations"
            notes.append(f"{info.name} is constant, {value}: it tells no two points apart")
    return notes


def _scores(row: Evaluation, i: int) -> FloatArray:
    """Return an objective's score of every prompt; in a simulation without prompts, the mean."""
    return row.prompt_scores[i] if row.prompt_scores.size else np.array([row.scores[i]])


def _beyond(rows: list[Evaluation], problem: Problem) -> str:
    """Note that no point counts towards the hypervolume, with the objectives that prevent it."""
    gains = gains_of(np.array([row.scores for row in rows]), problem)
    passes = gains > ref_gains(problem)
    if passes.all(axis=1).any():
        return ""
    never = [
        f"{info.name} {info.ref:.4g} (best {rows[int(gains[:, i].argmax())].scores[i]:.4g})"
        for i, info in enumerate(problem.objectives)
        if not passes[:, i].any()
    ]
    why = f"none ever passes {', '.join(never)}" if never else "each passes only some of it"
    return f"no point is beyond the reference point, so the hypervolume is 0: {why}"


def _within_errors(rows: list[Evaluation], front: list[Evaluation], problem: Problem) -> str:
    """Note that no point of the front is better than the base beyond noise in any objective."""
    base, trained = rows[0], [row for row in front if row.run_id != BASE_RUN_ID]
    if base.run_id != BASE_RUN_ID or len(rows) < 2:
        return ""
    if any(_surely_better(row, base, problem) for row in trained):
        return ""
    return (
        "no point of the front is better than the base by more than "
        f"{ERRORS:g} standard errors in any objective"
    )


def _surely_better(row: Evaluation, base: Evaluation, problem: Problem) -> bool:
    gained = gains_of(row.scores, problem)
    gained = gained - gains_of(base.scores, problem)
    return bool((gained > ERRORS * difference_error(row, base)).any())


def _cut(rows: list[Evaluation], front: list[Evaluation]) -> str:
    """Note the share of answers that ended only because they reached the length limit."""
    base = rows[0].diagnostics.get(CUT_OFF, 0.0) if rows[0].run_id == BASE_RUN_ID else 0.0
    shares = [row.diagnostics[CUT_OFF] for row in front if CUT_OFF in row.diagnostics]
    most = max(shares, default=0.0)
    if max(base, most) < CUT_SHARE:
        return ""
    mean = float(np.mean(shares)) if shares else 0.0
    return (
        f"cut off at model.generation.max_new_tokens: {base:.0%} of the base's answers, {mean:.0%} "
        f"of those on the front, {most:.0%} at its worst point"
    )
