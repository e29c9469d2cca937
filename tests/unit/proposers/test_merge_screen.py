from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from paretoflow.core.values import FloatArray, LaunchKind, Proposal
from paretoflow.front.hypervolume import hypervolume
from paretoflow.proposers import build
from paretoflow.spec.proposers import MergeScreenProposerSpec
from tests.histories import history_of, opening, problem_of
from tests.unit.proposers.mixing_toy import Mixing, swept

ENDS = np.eye(2)


class Trained(Mixing):
    """Between the corners, trained runs gain more than mixtures: by `lead` at the centre."""

    lead = 0.0

    def vector(self, proposal: Proposal) -> FloatArray:
        plain = super().vector(proposal)
        return np.append(plain[:2], 0.0 if proposal.merge else 4 * plain[0] * plain[1])

    def gains(self, vector: FloatArray) -> FloatArray:
        middle = vector[2] if len(vector) > 2 else 0.0
        if not vector.any():
            return np.zeros(2)
        return super().gains(vector[:2]) - 0.3 + self.lead * middle


def launches_of(lead: float, runs: int = 16, workers: int = 1, **knobs: object) -> list[Proposal]:
    toy = Trained(ENDS)
    toy.lead = lead
    spec = MergeScreenProposerSpec.model_validate({"type": "merge_screen"} | knobs)
    return swept(build(spec, m=2, runs=runs), toy, runs, workers=workers)[0]


def counts(launches: list[Proposal]) -> Counter[str]:
    return Counter(p.tag for p in launches)


@pytest.mark.parametrize("workers", [1, 4])
def test_experts_come_first_and_then_as_many_mixtures_as_a_fit_needs(workers: int) -> None:
    launches = launches_of(0.2, workers=workers)
    assert [p.weights.values for p in launches[:3]] == [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5)]
    assert [p.kind for p in launches[3:5]] == [LaunchKind.MERGE] * 2
    assert "Mixture 1 of 2 that a fit needs" in launches[3].reason
    assert all(p.merge is None or len(p.merge.parents) == 2 for p in launches)


def test_where_training_beats_mixtures_it_is_trained_and_elsewhere_mixed() -> None:
    better, same = counts(launches_of(0.2)), counts(launches_of(0.0))
    assert better["screened"] > same["screened"]
    assert same["mixture"] > better["mixture"]
    sure = [p for p in launches_of(0.2) if p.reason.startswith("Training should beat")]
    assert sure
    assert all(0.0 < p.weights.values[0] < 1.0 for p in sure)


def test_a_wider_margin_trains_less() -> None:
    trained = [counts(launches_of(0.1, margin=margin))["screened"] for margin in (0.0, 2.0, 50.0)]
    assert trained[0] >= trained[1] >= trained[2]
    assert trained[0] > trained[2]


def test_screening_is_worth_as_much_as_the_better_of_both_ways() -> None:
    """With eleven runs: training at even weights, mixing alone, and what the screen makes of it."""
    for lead in (0.0, 0.2):
        toy = Trained(ENDS)
        toy.lead = lead
        gains = swept(build(MergeScreenProposerSpec(type="merge_screen"), m=2, runs=11), toy, 11)[1]
        shares = np.linspace(0, 1, 11)
        whole = np.stack([shares, 1 - shares], axis=1)
        trained = [toy.gains(np.append(w, 4 * w[0] * w[1])) for w in whole]
        mixed = [toy.gains(np.append(w, 0.0)) for w in whole]
        ref = np.full(2, -0.1)
        best = max(hypervolume(np.array(g), ref) for g in (trained, mixed))
        assert hypervolume(gains, ref) > 0.97 * best


def test_a_mixture_that_failed_is_not_asked_for_again() -> None:
    toy = Trained(ENDS, failing=frozenset({3, 6}))
    launches, gains = swept(
        build(MergeScreenProposerSpec(type="merge_screen"), m=2, runs=12), toy, 12
    )
    asked = [(p.merge, p.weights) for p in launches]
    assert len(set(asked)) == len(asked) == 12
    assert np.isnan(gains).any(axis=1).sum() == 2


def test_the_corners_are_mixed_while_the_centre_still_trains() -> None:
    corners, centre = opening(2)[:2], opening(2)[2:]
    rows = [(0, [0.9, 0.1]), (1, [0.1, 0.9])]
    proposer = build(MergeScreenProposerSpec(type="merge_screen"), m=2, runs=12)
    (proposal,) = proposer.propose(history_of(problem_of(2), corners, rows), centre, 1, 0)
    assert proposal.kind is LaunchKind.MERGE
    waiting = history_of(problem_of(2), corners[:1], rows[:1])
    assert proposer.propose(waiting, [*corners[1:], *centre], 1, 0) == []
