"""Sweeps over merges whose outcomes are known: each adapter is a point, a mixture a sum of points.

An adapter is a vector in a space with an axis for each expert, the base its origin. Expert i is the
i-th unit vector; a merge adds up its parents' vectors. Gain i falls with the squared distance to a
goal of its own, so the front lies between the goals, where mixtures can reach it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from paretoflow.core.ids import snapshot_id_of
from paretoflow.core.protocols import Proposer
from paretoflow.core.values import FloatArray, History, Proposal
from tests.histories import Row, history_of, problem_of


@dataclass
class Mixing:
    """Adapters by snapshot, and what they are worth.

    Args:
        goals: Best mixture for each gain, shape (m, k).
        failing: Numbers of the runs that fail.
    """

    goals: FloatArray
    failing: frozenset[int] = frozenset()
    known: dict[str, FloatArray] = field(default_factory=dict)

    def gains(self, vector: FloatArray) -> FloatArray:
        distances: FloatArray = ((self.goals - vector) ** 2).sum(axis=1)
        return 1.0 - 0.5 * distances

    def vector(self, proposal: Proposal) -> FloatArray:
        if proposal.merge is None:
            weights = np.zeros(self.goals.shape[1])
            weights[: len(proposal.weights)] = proposal.weights.array
            return weights
        pairs = zip(proposal.merge.coefficients, proposal.merge.parents, strict=True)
        return np.asarray(sum(c * self.known[p] for c, p in pairs))


def swept(
    proposer: Proposer,
    toy: Mixing,
    runs: int,
    *,
    workers: int = 1,
    look: Callable[[History, Sequence[Proposal], list[Proposal]], None] | None = None,
) -> tuple[list[Proposal], FloatArray]:
    """Run a sweep to the end of its budget or its proposer; return launches and their gains.

    A failed run's gains are nan.
    """
    problem = problem_of(len(toy.goals))
    launches: list[Proposal] = []
    pending: list[Proposal] = []
    rows: list[Row] = [(-1, toy.gains(np.zeros(toy.goals.shape[1])).tolist())]
    gains: list[FloatArray] = []
    while True:
        ended = launches[: len(launches) - len(pending)]
        failed = [i for i in range(len(ended)) if i in toy.failing]
        history = history_of(problem, ended, rows, failed=failed)
        free = min(workers - len(pending), runs - len(launches))
        chosen = proposer.propose(history, pending, free, 5) if free else []
        if look is not None and free:
            look(history, tuple(pending), chosen)
        launches += chosen
        pending += chosen
        if not pending:
            return launches, np.array(gains)
        run, proposal = len(launches) - len(pending), pending.pop(0)
        if run in toy.failing:
            gains.append(np.full(problem.m, np.nan))
            continue
        vector = toy.vector(proposal)
        gains.append(toy.gains(vector))
        toy.known[snapshot_id_of(f"r{run:04d}", 0, len(rows))] = vector
        rows.append((run, toy.gains(vector).tolist()))
