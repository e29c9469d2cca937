from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from paretoflow.core.values import History, LaunchKind, Proposal
from paretoflow.proposers.experts import TrainedRuns
from paretoflow.proposers.mixtures import grid
from paretoflow.proposers.soups import SoupsProposer
from paretoflow.spec.proposers import SoupsProposerSpec
from tests.histories import history_of, problem_of, weighted
from tests.unit.proposers.mixing_toy import Mixing, swept


def soups(m: int = 2, runs: int = 13, **knobs: Any) -> SoupsProposer:
    return SoupsProposer(SoupsProposerSpec(type="soups", **knobs), m=m, runs=runs)


def test_two_experts_and_eleven_mixtures_from_coarse_to_fine() -> None:
    launches, gains = swept(soups(), Mixing(np.eye(2)), 13)
    assert [p.kind for p in launches] == [LaunchKind.WEIGHTED] * 2 + [LaunchKind.MERGE] * 11
    mixed = [p.merge.coefficients for p in launches[2:] if p.merge]
    assert mixed[:3] == [(0.5, 0.5), (0.25, 0.75), (0.75, 0.25)]
    assert sorted(c for c, _ in mixed) == pytest.approx(np.arange(1, 12) / 12, abs=1e-6)
    assert [p.weights.values for p in launches[2:5]] == mixed[:3]
    assert gains[2] == pytest.approx([0.75, 0.75])
    assert launches[2].reason.startswith("Mixture 1 of 11, from coarse to fine: coverage 0.50")


def test_points_end_the_sweep_before_its_budget() -> None:
    launches, _ = swept(soups(points=3), Mixing(np.eye(2)), 13)
    assert len(launches) == 5


def test_nothing_is_mixed_while_an_expert_that_it_needs_runs() -> None:
    problem = problem_of(3)
    done, rows = [weighted((1, 0, 0)), weighted((0, 1, 0))], [(0, [0.9, 0, 0]), (1, [0, 0.9, 0])]
    running = weighted((0, 0, 1))
    history = history_of(problem, done, rows)
    chosen = soups(3).propose(history, [running], 9, 0)
    assert chosen
    assert all(p.weights.values[2] == 0 and p.merge and len(p.merge.parents) == 2 for p in chosen)
    both = [weighted((1, 0)), weighted((0, 1))]
    assert soups(2).propose(history_of(problem_of(2)), both, 9, 0) == []


def test_a_failed_expert_is_replaced_by_the_next_weights_and_its_corner_not_tried_again() -> None:
    launches, _ = swept(soups(runs=6), Mixing(np.eye(2), frozenset({0})), 6)
    assert [p.weights.values for p in launches[:3]] == [(1, 0), (0, 1), (0.5, 0.5)]
    assert all(p.merge for p in launches[3:])
    assert all(p.weights.values[0] < 0.5 for p in launches[3:])


def test_a_failed_mixture_is_not_asked_for_again() -> None:
    launches, _ = swept(soups(runs=8), Mixing(np.eye(2), frozenset({3})), 8)
    assert len({p.merge for p in launches[2:]}) == 6


def test_the_final_adapter_of_a_run_is_mixed_and_all_of_them_by_ibcl() -> None:
    rows = [(0, [0.5, 0.1]), (1, [0.1, 0.5]), (0, [0.9, 0.2])]
    history = history_of(problem_of(2), [weighted((1, 0)), weighted((0, 1))], rows)
    (soup,) = soups().propose(history, [], 1, 0)
    assert soup.merge
    assert soup.merge.parents == ("r0000-a0-s0002", "r0001-a0-s0001")
    (drawn,) = soups(how="ibcl").propose(history, [], 1, 0)
    assert drawn.merge
    assert drawn.merge.parents == ("r0000-a0-s0000", "r0000-a0-s0002", "r0001-a0-s0001")
    assert drawn.merge.coefficients == (0.25, 0.25, 0.5)
    assert dict(drawn.merge.options) == {"groups": "2,1", "interval": 0.9}


def test_frank_wolfe_gets_every_expert_and_another_preference_each_time() -> None:
    launches, _ = swept(soups(how="frank_wolfe", runs=2, points=4), Mixing(np.eye(2)), 2)
    rows = [(0, [0.9, 0.1]), (1, [0.1, 0.9])]
    chosen = soups(how="frank_wolfe", points=4).propose(
        history_of(problem_of(2), launches, rows), [], 9, 0
    )
    assert len({p.weights for p in chosen}) == 4
    assert {p.merge.parents for p in chosen if p.merge} == {("r0000-a0-s0000", "r0001-a0-s0001")}
    assert all(p.merge and not p.merge.coefficients for p in chosen)


def test_rank_is_told_to_svd_only() -> None:
    rows = [(0, [0.9, 0.1]), (1, [0.1, 0.9])]
    history = history_of(problem_of(2), [weighted((1, 0)), weighted((0, 1))], rows)
    options = [
        p.merge.options
        for how in ("svd", "cat")
        for p in soups(how=how, rank=3).propose(history, [], 1, 0)
        if p.merge
    ]
    assert options == [(("rank", 3),), ()]


def test_more_experts_than_objectives_are_mixed_on_their_own_simplex() -> None:
    launches, _ = swept(soups(experts=4, runs=14), Mixing(np.eye(2)), 14)
    kinds = Counter(p.kind for p in launches)
    assert kinds == {LaunchKind.WEIGHTED: 4, LaunchKind.MERGE: 10}
    assert launches[3].weights.values == (0.25, 0.75)


def test_groups_at_once_get_different_mixtures() -> None:
    def look(history: History, pending: Sequence[Proposal], chosen: list[Proposal]) -> None:
        merges = [p.merge for p in [*pending, *chosen] if p.merge]
        assert len(set(merges)) == len(merges)

    launches, _ = swept(soups(3, 16), Mixing(np.eye(3)), 16, workers=5, look=look)
    assert len(launches) == 16


@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_grid_has_so_many_mixtures_and_no_corner(count: int) -> None:
    points = np.array(grid(count, 17))
    assert points.shape == (17, count)
    assert points.max() < 1
    assert points.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_runs_from_a_parent_and_merges_are_no_experts() -> None:
    launches, _ = swept(soups(runs=4), Mixing(np.eye(2)), 4)
    extended = weighted((1, 0))
    rows = [(i, [0.5, 0.5]) for i in range(len(launches))]
    runs = TrainedRuns(history_of(problem_of(2), launches, rows))
    assert [e.weights.values for e in runs.team([extended], 2).experts] == [(1, 0), (0, 1)]
    assert runs.team([], 3).missing is not None
