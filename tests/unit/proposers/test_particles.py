"""The Pareto set of a model: formulas by hand, gradients against differences, both searches."""

from __future__ import annotations

import numpy as np
import pytest

from paretoflow.core.values import FloatArray
from paretoflow.front.simplex import even_simplex
from paretoflow.proposers.gaussian import GainModel
from paretoflow.proposers.particles import (
    REPULSION,
    evolved_set,
    optimistic,
    pareto_set,
    projected,
    stein,
    tchebycheff,
)


def outcome(where: FloatArray) -> FloatArray:
    """Gains of two weights and one setting, best at .3 for the one and .7 for the other."""
    miss = (where[:, 2:] - np.array([0.3, 0.7])) ** 2
    return np.asarray(1 - (1 - where[:, :2]) ** 2 - miss)


@pytest.fixture(scope="module")
def model() -> GainModel:
    rng = np.random.default_rng(0)
    known = np.hstack([rng.dirichlet(np.ones(2), 30), rng.random((30, 1))])
    return GainModel.fitted(known, outcome(known), np.full((30, 2), 0.01))


def test_the_gradient_is_that_of_the_prediction(model: GainModel) -> None:
    where = projected(np.random.default_rng(1).random((5, 3)), 2)
    values, slopes = optimistic(model, where, 0.7)
    mean, sd = model.predicted(where)
    assert values == pytest.approx(mean + 0.7 * sd)
    for axis in range(3):
        step = 1e-5 * np.eye(3)[axis]
        ends = [optimistic(model, where + side * step, 0.7)[0] for side in (1, -1)]
        assert slopes[:, :, axis] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-6)


def test_distances_by_hand_and_in_any_order_of_objectives() -> None:
    preference, gains = np.array([[0.75, 0.25]]), np.array([[0.5, 0.2]])
    distance, slopes, active = tchebycheff(gains, preference, np.ones(2))
    assert distance == pytest.approx([0.40375])
    assert slopes == pytest.approx(np.array([[-0.75 * 1.05, -0.25 * 0.05]]))
    assert active.tolist() == [0]
    turned = tchebycheff(gains[:, ::-1], preference[:, ::-1], np.ones(2))
    assert turned[0] == pytest.approx(distance)
    assert turned[1] == pytest.approx(slopes[:, ::-1])
    assert turned[2].tolist() == [1]


def test_two_particles_share_and_repel_as_by_hand() -> None:
    where, same = np.array([[0.0], [1.0]]), np.zeros(2, dtype=np.int64)
    repelled = np.log(3) / 3 * REPULSION
    shared = stein(np.array([[3.0], [0.0]]), where, same)
    assert shared == pytest.approx(np.array([[1.5 - repelled], [0.5 + repelled]]))
    apart = stein(np.array([[3.0], [0.0]]), where, np.array([0, 1]))
    assert apart == pytest.approx(np.array([[1.5], [0.0]]))
    assert stein(np.array([[3.0]]), where[:1], same[:1]) == pytest.approx(np.array([[3.0]]))


@pytest.mark.parametrize(
    ("point", "nearest"),
    [((0.9, 0.3), (0.8, 0.2)), ((1.2, -0.4), (1, 0)), ((0.2, 0.3, 0.5), (0.2, 0.3, 0.5))],
    ids=str,
)
def test_weights_go_to_the_simplex_and_places_stay_inside(
    point: tuple[float, ...], nearest: tuple[float, ...]
) -> None:
    m = len(point)
    found = projected(np.array([[*point, -0.2, 1.4]]), m)
    assert found == pytest.approx(np.array([[*nearest, 0, 1]]))


@pytest.mark.parametrize("push", [None, stein], ids=["psl", "svh_psl"])
def test_particles_reach_configurations_that_their_preferences_want(
    model: GainModel, push: object
) -> None:
    wanted = even_simplex(2, 24)
    starts = np.hstack([np.full((24, 2), 0.5), np.random.default_rng(2).random((24, 1))])
    best = np.ones(2)
    found = pareto_set(model, wanted, starts, best, 0.0, push)  # type: ignore[arg-type]
    before, after = (
        tchebycheff(outcome(p), wanted, best + 0.05)[0].mean() for p in (starts, found)
    )
    assert after < 0.75 * before
    assert np.corrcoef(wanted[:, 0], found[:, 0])[0, 1] > 0.9
    assert found[:, :2].sum(axis=1) == pytest.approx(np.ones(24))
    assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.few(1)
@pytest.mark.parametrize("algorithm", ["nsga3", "moead"])
def test_evolution_finds_a_set_that_is_as_good(model: GainModel, algorithm: str) -> None:
    starts = np.hstack([np.full((4, 2), 0.5), np.random.default_rng(2).random((4, 1))])
    found = evolved_set(model, 0.0, algorithm, starts, 3)
    distances = [
        tchebycheff(outcome(found), np.broadcast_to(p, (len(found), 2)), np.ones(2))[0].min()
        for p in even_simplex(2, 8)
    ]
    assert np.mean(distances) < 0.2
    if algorithm == "nsga3":  # the other takes seconds
        assert (evolved_set(model, 0.0, algorithm, starts, 3) == found).all()
