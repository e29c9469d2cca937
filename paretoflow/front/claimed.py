"""What a front is worth among all rows that were scored on the prompts it was."""

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
    """Return what a front is worth among all that was evaluated, its doubts in its own order.

    None without scores of single prompts (a simulation), or with other prompts on one front (a
    trainer's own scores). Evaluations on other prompts than the front's are left out.

    Args:
        rows: All evaluations, the front's among them.
        claimed: Which of them are the front.
        problem: The objectives.
        rule: How the luck of the selection is found.
    """
    if not same_prompts([rows[i] for i in claimed]):
        return None
    kind = _prompts_of(rows[claimed[0]])
    alike = [i for i, row in enumerate(rows) if _prompts_of(row) == kind]
    place = {i: number for number, i in enumerate(alike)}
    clouds = clouds_of([rows[i] for i in alike], problem)
    return worth(clouds, [place[i] for i in claimed], ref_gains(problem), rule=rule)


def same_prompts(rows: Sequence[Evaluation]) -> bool:
    """Return whether rows have scores of single prompts, two or more, and all of the same."""
    kinds = {_prompts_of(row) for row in rows}
    return len(kinds) == 1 and len(shape := kinds.pop()[1]) == 2 and shape[1] >= 2


def clouds_of(rows: Sequence[Evaluation], problem: Problem) -> FloatArray:
    """Return the gain of every prompt of evaluations on the same prompts, shape (k, m, n)."""
    return np.stack([gains_of(row.prompt_scores.T, problem).T for row in rows])


def _prompts_of(row: Evaluation) -> tuple[str, tuple[int, ...]]:
    return row.data, row.prompt_scores.shape
