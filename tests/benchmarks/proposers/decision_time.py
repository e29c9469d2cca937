"""Seconds for a decision in a sweep with 10,000 evaluations."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from paretoflow.core.errors import ParetoflowError
from paretoflow.core.values import History
from paretoflow.proposers import build
from tests.benchmarks.proposers.field import spec_of
from tests.benchmarks.proposers.tables import NOTHING, Table
from tests.histories import history_of, opening, problem_of, weighted

EVALUATIONS, RUNS = 10_000, 500
OBJECTIVES = (2, 3, 4, 6)


def long_history(m: int) -> History:
    """Return a history of 500 runs with 20 checkpoints each, near a front that bulges outwards."""
    rng = np.random.default_rng(0)
    gains = rng.dirichlet(np.ones(m), EVALUATIONS) ** 0.6
    launches = [weighted(w, seed=i) for i, w in enumerate(rng.dirichlet(np.ones(m), RUNS))]
    rows = [(i % RUNS, row) for i, row in enumerate(gains.tolist())]
    return history_of(problem_of(m), launches, rows, stderr=0.01)


def seconds(tag: str, history: History) -> tuple[float, float]:
    """Return how long a driver's first decision takes, and the median of five more.

    Raises:
        ParetoflowError: If the proposer does not take so many objectives.
    """
    m = history.problem.m
    proposer = build(spec_of(tag), m=m, runs=2 * RUNS)
    taken = []
    for seed in range(6):
        started = time.perf_counter()
        proposer.propose(history, opening(m), 1, seed)
        taken.append(time.perf_counter() - started)
    return taken[0], float(np.median(taken[1:]))


def decisions_table(tags: Sequence[str]) -> Table:
    """Return the time for a decision by proposer and number of objectives."""
    rows = [[tag] for tag in tags]
    for m in OBJECTIVES:
        history = long_history(m)
        for row in rows:
            try:
                first, later = seconds(row[0], history)
            except ParetoflowError:
                row.append(NOTHING)
            else:
                row.append(f"{1000 * later:.0f} ({1000 * first:.0f})")
    heads = ["proposer", *[f"m = {m}" for m in OBJECTIVES]]
    return Table("Milliseconds for a decision with 10,000 evaluations", heads, rows, NOTE)


NOTE = "Median of five decisions about one launch; in brackets a new driver's first one."
