from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from paretoflow.core.values import FloatArray
from paretoflow.front.hypervolume import hypervolume
from paretoflow.proposers.map import MapProposer, sample_count
from paretoflow.proposers.quadratics import (
    Quadratics,
    features_of,
    latin_hypercube,
    predicted_front,
    unknowns,
)
from paretoflow.spec.proposers import MapProposerSpec
from tests.unit.proposers.mixing_toy import Mixing, swept

GOALS = np.array([[1.0, 0.1], [0.3, 0.9]])
REF = np.full(2, -0.1)


def proposer(runs: int, m: int = 2, **knobs: Any) -> MapProposer:
    return MapProposer(MapProposerSpec(type="map", **knobs), m=m, runs=runs)


def off_front(mixtures: FloatArray) -> FloatArray:
    """Return the distances to the front, which is the line between the goals."""
    along = GOALS[1] - GOALS[0]
    share = np.clip((mixtures - GOALS[0]) @ along / (along @ along), 0, 1)
    return np.asarray(np.linalg.norm(mixtures - GOALS[0] - share[:, None] * along, axis=1))


def test_the_case_of_the_docstring() -> None:
    fit = Quadratics.fitted(np.array([[0], [0.5], [1]]), np.array([[0], [0.75], [1]]), logit=False)
    assert fit.table[:, 0] == pytest.approx([0, 2, -1])
    assert fit.outcomes(np.array([[0.25]]))[0, 0] == pytest.approx(0.5 - 0.0625)


def test_a_quadratic_has_as_many_numbers_as_features() -> None:
    for count in (1, 2, 3, 5):
        assert features_of(np.zeros((1, count))).shape == (1, unknowns(count))
    assert [unknowns(k) for k in (2, 3)] == [6, 10]


def test_logits_keep_predictions_inside_the_range() -> None:
    mixtures = latin_hypercube(12, 2, np.random.default_rng(0))
    gains = 1 / (1 + np.exp(-(mixtures @ [[3.0], [-2.0]] + 0.5)))
    fit = Quadratics.fitted(mixtures, gains, logit=True)
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
    truth = 1 / (1 + np.exp(-(corners @ [[3.0], [-2.0]] + 0.5)))
    assert fit.outcomes(corners) == pytest.approx(truth, abs=1e-6)
    far = fit.outcomes(np.array([[50.0, -50.0]]))
    assert 0 < far[0, 0] <= 1


def test_doubt_is_least_where_samples_are_and_falls_where_they_are_coming() -> None:
    mixtures = latin_hypercube(10, 2, np.random.default_rng(0)) * 0.5
    fit = Quadratics.fitted(mixtures, mixtures[:, :1], logit=False)
    far = np.array([[1.0, 1.0]])
    none = np.empty((0, 2))
    assert fit.doubt(far, none)[0] > 3 * fit.doubt(mixtures, none).max()
    assert fit.doubt(far, far)[0] < fit.doubt(far, none)[0]


def test_a_latin_hypercube_has_one_point_in_each_slice() -> None:
    points = latin_hypercube(7, 3, np.random.default_rng(1))
    assert (np.sort((points * 7).astype(int), axis=0) == np.arange(7)[:, None]).all()


def test_the_predicted_front_of_a_quadratic_is_its_true_front() -> None:
    mixtures = latin_hypercube(12, 2, np.random.default_rng(0))
    toy = Mixing(GOALS)
    fit = Quadratics.fitted(mixtures, np.array([toy.gains(c) for c in mixtures]), logit=False)
    found = predicted_front(fit, 3)
    assert 0.5 * off_front(found).max() ** 2 < 0.005  # the loss of gains
    assert np.abs(found[:, None] - GOALS).sum(axis=2).min(axis=0).max() < 0.1
    assert (found == predicted_front(fit, 3)).all()


@pytest.mark.parametrize("variant", ["plain", "bayesian"])
@pytest.mark.parametrize("workers", [1, 4])
def test_twenty_evaluations_reach_what_a_grid_of_fifty_does(variant: str, workers: int) -> None:
    toy = Mixing(GOALS)
    launches, gains = swept(proposer(20, variant=variant), toy, 20, workers=workers)
    assert len(launches) == 20
    share = np.linspace(0, 1, 51)[:, None]
    best = np.array([toy.gains(c) for c in GOALS[0] + share * (GOALS[1] - GOALS[0])])
    soups = np.array([toy.gains(c) for c in np.hstack([share, 1 - share])])
    reached = hypervolume(gains, REF)
    assert reached > 0.97 * hypervolume(best, REF)
    assert reached > 0.99 * hypervolume(soups, REF)


def test_samples_come_before_the_front_and_verify_ends_the_sweep() -> None:
    launches, _ = swept(proposer(40, samples=8, verify=5), Mixing(GOALS), 40)
    assert [p.tag for p in launches] == ["expert"] * 2 + ["sample"] * 8 + ["verify"] * 5
    merges = [p.merge.coefficients for p in launches if p.merge]
    assert len(set(merges)) == 13
    assert np.max(merges) <= 1
    assert "predict" in launches[-1].reason


def test_nothing_is_verified_while_a_sample_runs() -> None:
    waits = []

    def look(history: Any, pending: Any, chosen: Any) -> None:
        if any(p.tag == "verify" for p in chosen):
            assert not any(p.tag == "sample" for p in [*pending, *chosen])
        waits.append(not chosen)

    launches, _ = swept(proposer(16, samples=6), Mixing(GOALS), 16, workers=4, look=look)
    assert any(waits)
    assert Counter(p.tag for p in launches) == {"expert": 2, "sample": 6, "verify": 8}


def test_failed_samples_are_done_without() -> None:
    toy = Mixing(GOALS, frozenset({3, 4, 5}))
    launches, gains = swept(proposer(20), toy, 20)
    assert len(launches) == 20
    assert hypervolume(gains[~np.isnan(gains[:, 0])], REF) > 0.9


def test_bayesian_samples_leave_the_hypercube_for_where_it_pays() -> None:
    knobs: dict[str, Any] = {"samples": 14, "verify": 1}
    launches, _ = swept(proposer(40, variant="bayesian", **knobs), Mixing(GOALS), 40)
    unsure = [i for i, p in enumerate(launches) if "unsure" in p.reason]
    assert len(unsure) == 14 - unknowns(2)
    plain, _ = swept(proposer(40, **knobs), Mixing(GOALS), 40)
    spread = [p.merge.coefficients for p in plain[2:16] if p.merge]
    chosen = [p.merge.coefficients for i in unsure if (p := launches[i]).merge]
    assert off_front(np.array(chosen)).mean() < 0.6 * off_front(np.array(spread)).mean()


def test_nested_mixes_four_experts_in_pairs() -> None:
    goals = np.eye(4) * 0.6 + 0.2
    toy = Mixing(goals)
    launches, gains = swept(proposer(60, 4, variant="nested", samples=7), toy, 60, workers=3)
    tags = Counter(p.tag for p in launches)
    assert tags == {"expert": 4, "sample": 21, "node": 2, "verify": 33}
    assert {len(p.merge.parents) for p in launches if p.merge} == {2}
    nodes = [p.merge.parents for p in launches if p.merge and p.tag == "node"]
    last = next(p.merge for p in launches if p.merge and p.tag == "verify")
    assert len(set(nodes)) == 2
    assert not set(last.parents) & {name for pair in nodes for name in pair}
    best_expert = max(gains[:4].min(axis=1))
    assert gains[4:].min(axis=1).max() > best_expert + 0.2


def test_an_odd_expert_and_a_failed_node_go_up_as_they_are() -> None:
    runs = 30
    launches, _ = swept(proposer(runs, 3, variant="nested", samples=6), Mixing(np.eye(3)), runs)
    node = next(i for i, p in enumerate(launches) if p.tag == "node")
    again, _ = swept(
        proposer(runs, 3, variant="nested", samples=6),
        Mixing(np.eye(3), frozenset({node})),
        runs,
    )
    for done in (launches, again):
        assert Counter(p.tag for p in done) == {"expert": 3, "sample": 12, "node": 1, "verify": 14}
    assert again[node] == launches[node]
    mixed = next(p.merge for p in again if p.merge and p.tag == "verify")
    experts = {"r0000-a0-s0001", "r0001-a0-s0002", "r0002-a0-s0003"}
    assert set(mixed.parents) < experts


@pytest.mark.parametrize(
    ("variant", "experts", "runs", "count"),
    [("plain", 2, 22, 10), ("plain", 2, 200, 24), ("plain", 3, 9, 10), ("nested", 4, 64, 10)],
)
def test_unset_samples_follow_the_budget(variant: Any, experts: int, runs: int, count: int) -> None:
    assert sample_count(MapProposerSpec(type="map", variant=variant), experts, runs) == count


def test_a_front_that_is_used_up_gives_way_to_the_farthest_mixture() -> None:
    same = np.array([[0.5, 0.5], [0.5, 0.5]])  # one point is best in both
    launches, _ = swept(proposer(60, samples=8), Mixing(same), 60)
    assert len(launches) == 60
    assert "used up" in launches[-1].reason
    merges = [p.merge.coefficients for p in launches if p.merge]
    assert len(set(merges)) == len(merges)
