"""Worth of a front, judged among all evaluations on the same prompts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paretoflow.core.evaluation import Evaluation
from paretoflow.core.values import FloatArray, Problem
from paretoflow.front.orient import gains_of, ref_gains
from paretoflow.front.worth import RULE, RULES, Rule, Worth, worth


def claimed_worth(
    rows: Sequence[Evaluation],
    claimed: Sequence[int],
    problem: Problem,
    rule: Rule = RULES[RULE],
) -> Worth | None:
    """Return the worth of a front among all evaluations; its doubts are in the front's order.

    Evaluations on other prompts than the front's are left out.

    Args:
        rows: All evaluations, the front's among them.
        claimed: Indices of the rows that are the front.
        problem: The objectives.
        rule: Estimate and correction of the luck of the selection.

    Returns:
        None if scores of single prompts are missing (a simulation), or if the front's points were
        scored on different prompts (a trainer's own scores).
    """
    if not same_prompts([rows[i] for i in claimed]):
        return None
    kind = _prompts_of(rows[claimed[0]])
    alike = [i for i, row in enumerate(rows) if _prompts_of(row) == kind]
    place = {i: number for number, i in enumerate(alike)}
    clouds = clouds_of([rows[i] for i in alike], problem)
    return worth(clouds, [place[i] for i in claimed], ref_gains(problem), rule=rule)


def same_prompts(rows: Sequence[Evaluation]) -> bool:
    """Return whether all rows have scores of the same prompts, of two or more."""
    kinds = {_prompts_of(row) for row in rows}
    return len(kinds) == 1 and len(shape := kinds.pop()[1]) == 2 and shape[1] >= 2


def clouds_of(rows: Sequence[Evaluation], problem: Problem) -> FloatArray:
    """Return the gain of every prompt, of evaluations on the same prompts, shape (k, m, n)."""
    return np.stack([gains_of(row.prompt_scores.T, problem).T for row in rows])


def _prompts_of(row: Evaluation) -> tuple[str, tuple[int, ...]]:
    return row.data, row.prompt_scores.shape
