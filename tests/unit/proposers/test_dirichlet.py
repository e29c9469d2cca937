from __future__ import annotations

import numpy as np
import pytest

from paretoflow.proposers.dirichlet import DirichletProposer
from paretoflow.spec.proposers import DirichletProposerSpec
from tests.histories import history_of, problem_of


def draws(alpha: float, count: int, m: int = 3) -> np.ndarray:
    proposer = DirichletProposer(DirichletProposerSpec(type="dirichlet", alpha=alpha), m=m, runs=9)
    chosen = proposer.propose(history_of(problem_of(m)), (), m + count, 1)
    return np.array([p.weights.values for p in chosen[m:]])


def test_draws_are_uniform_at_one():
    assert draws(1.0, 300).mean(axis=0) == pytest.approx([1 / 3] * 3, abs=0.05)


def test_a_small_concentration_prefers_the_corners():
    assert draws(0.1, 100).max(axis=1).mean() > draws(1.0, 100).max(axis=1).mean() + 0.1


@pytest.mark.parametrize("alpha", [1e-12, 1e-4, 1e6])
def test_any_concentration_gives_weights(alpha):
    assert draws(alpha, 20).sum(axis=1) == pytest.approx(np.ones(20))
