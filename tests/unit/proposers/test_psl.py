"""Pareto set learning: what it launches, and what it reaches where settings matter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from paretoflow.core.protocols import Proposer
from paretoflow.core.values import FloatArray, LaunchKind, Proposal
from paretoflow.front.hypervolume import hypervolume
from paretoflow.proposers import build
from paretoflow.spec.proposers import (
    DirichletProposerSpec,
    ProposerSpec,
    PslProposerSpec,
    SvhPslProposerSpec,
)
from paretoflow.spec.search import Axis
from tests.histories import bent, history_of, opening, problem_of

AXES = (
    Axis("learning_rate", "method", 1e-4, 1e-2, log=True),
    Axis("rank", "lora", whole=True, choices=(4, 8, 16)),
)
PSL, SVH = PslProposerSpec(type="psl"), SvhPslProposerSpec(type="svh_psl")


def trained(proposal: Proposal) -> FloatArray:
    """A convex front, less the cost of a bad rate or rank; the best rate moves with the weights."""
    weights, settings = proposal.weights.array, dict(proposal.settings)
    rate, rank = (axis.place(settings[axis.name]) for axis in AXES)
    miss = (rate - 0.3 - 0.4 * weights[0]) ** 2 + 0.3 * (rank - 5 / 6) ** 2
    return np.asarray((1 - (1 - weights) ** 2) * np.exp(-4 * miss))


def reached(spec: ProposerSpec, runs: int, seed: int) -> float:
    """Return the hypervolume of a sweep of single runs, with noise in what the proposer sees."""
    proposer, problem = build(spec, m=2, runs=runs, axes=AXES), problem_of(2)
    rng = np.random.default_rng(seed)
    launches: list[Proposal] = []
    true: list[FloatArray] = []
    rows: list[tuple[int, Sequence[float]]] = []
    while len(launches) < runs:
        history = history_of(problem, launches, rows, stderr=0.01)
        launches += proposer.propose(history, (), 1, seed)
        true.append(trained(launches[-1]))
        rows.append((len(rows), (true[-1] + 0.01 * rng.standard_normal(2)).tolist()))
    return hypervolume(np.array(true), problem.ref_scores)


@pytest.mark.parametrize("spec", [PSL, SVH], ids=lambda s: s.type)
def test_settings_are_learnt_that_even_draws_miss(spec: ProposerSpec) -> None:
    drawn = reached(DirichletProposerSpec(type="dirichlet"), 18, 1)
    assert reached(spec, 18, 1) > 1.08 * drawn


def done(proposer: Proposer, count: int) -> tuple[list[Proposal], list[tuple[int, FloatArray]]]:
    launches = proposer.propose(history_of(problem_of(2)), (), count, 0)
    return launches, [(i, trained(p)) for i, p in enumerate(launches)]


def test_the_opening_has_two_more_launches_for_each_axis_and_draws_their_settings() -> None:
    launches, rows = done(build(PSL, m=2, runs=20, axes=AXES), 7)
    assert {p.tag for p in launches} == {"initial"}
    assert len({p.settings for p in launches}) == 7
    proposer = build(PSL, m=2, runs=20, axes=AXES)
    history = history_of(problem_of(2), launches, [(i, g.tolist()) for i, g in rows])
    chosen = proposer.propose(history, (), 3, 0)
    assert {p.tag for p in chosen} == {"model"}
    assert len({(p.weights, p.settings) for p in chosen}) == 3
    assert all("learning_rate" in p.reason and "coverage" in p.reason for p in chosen)
    assert all([n for n, _ in p.settings] == ["learning_rate", "rank"] for p in chosen)
    singles: list[Proposal] = []
    for _ in range(3):
        singles += proposer.propose(history, singles, 1, 0)
    assert singles == chosen


def test_another_inner_search_proposes_too() -> None:
    spec = PslProposerSpec(type="psl", inner="nsga3")
    history = history_of(problem_of(3), opening(3), bent(3))
    chosen = build(spec, m=3, runs=20).propose(history, (), 1, 0)
    assert [p.tag for p in chosen] == ["model"]


def test_where_nothing_more_is_expected_far_configurations_are_tried() -> None:
    history = history_of(problem_of(2), opening(2), [*bent(2)[1:], (-1, [1.0, 1.0])])
    chosen = build(PSL, m=2, runs=20).propose(history, (), 1, 0)[0]
    assert chosen.tag == "spread"
    assert chosen.reason.startswith("No configuration is expected to add anything")


def test_runs_on_the_front_are_asked_otherwise_where_that_is_worth_its_cost() -> None:
    axes = (*AXES, Axis("temperature", "generation", 0.2, 1.0))
    proposer = build(PslProposerSpec(type="psl", initial=4, redraw=True), m=2, runs=20, axes=axes)
    launches = proposer.propose(history_of(problem_of(2)), (), 4, 0)
    cool = [1 - dict(p.settings)["temperature"] for p in launches]
    rows = [(i, (trained(p) * cool[i]).tolist()) for i, p in enumerate(launches)]
    history = history_of(problem_of(2), launches, rows, stderr=0.01)
    chosen = proposer.propose(history, (), 6, 0)
    assert len({(p.weights, p.settings) for p in chosen}) == 6
    asked = [p for p in chosen if p.merge is not None]
    assert asked
    for proposal in asked:
        assert proposal.kind is LaunchKind.MERGE
        assert proposal.merge is not None
        assert proposal.merge.coefficients == (1.0,)
        row = history.snapshot_ids.index(proposal.merge.parents[0])
        source = launches[history.run_index[row]]
        assert row in history.front
        assert proposal.weights == source.weights
        assert proposal.settings[:2] == source.settings[:2]
        assert proposal.settings[2] != source.settings[2]
        assert "trains nothing" in proposal.reason
    plain = build(PslProposerSpec(type="psl", initial=4), m=2, runs=20, axes=axes)
    assert all(p.merge is None for p in plain.propose(history, (), 6, 0))
