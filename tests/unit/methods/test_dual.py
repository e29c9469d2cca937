"""The dual controller, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from paretoflow.core.errors import NonFiniteError, ShapeError
from paretoflow.core.values import LaunchKind, Proposal, WeightVector
from paretoflow.methods.dual import DualController
from paretoflow.spec.methods import DualSpec


def constrained(weights, thresholds, target=0) -> Proposal:
    return Proposal(
        LaunchKind.CONSTRAINED,
        WeightVector(weights),
        0,
        "test",
        "test",
        target=target,
        thresholds=thresholds,
    )


def test_the_case_of_the_docstring():
    controller = DualController(
        DualSpec(lr=1.0), constrained((1.0, 0.0), (9.0, 0.5)), np.array([1.0, 2.0])
    )
    assert controller.active
    assert controller.weights.tolist() == [1.0, 0.0]
    controller.update(np.array([0.0, -0.5]))
    np.testing.assert_allclose(controller.weights, [2 / 3, 1 / 3])
    controller.update(np.array([0.0, 2.5]))
    assert controller.weights.tolist() == [1.0, 0.0]


def test_a_multiplier_stays_under_its_bound():
    spec = DualSpec(lr=100.0, max_multiplier=3.0)
    controller = DualController(spec, constrained((1.0, 0.0), (0.0, 5.0)), np.ones(2))
    controller.update(np.zeros(2))
    np.testing.assert_allclose(controller.weights, [1 / 4, 3 / 4])


def test_the_target_and_an_open_threshold_never_get_a_multiplier():
    proposal = constrained((0.5, 0.5, 0.0), (-np.inf, 7.0, 1.0), target=1)
    controller = DualController(DualSpec(), proposal, np.ones(3))
    controller.update(np.array([-50.0, -50.0, 0.0]))
    np.testing.assert_allclose(controller.weights, [0.25, 0.25, 0.5])


def test_weights_stay_on_the_simplex_whatever_is_seen():
    rng = np.random.default_rng(0)
    proposal = constrained((0.7, 0.2, 0.1), (0.0, 0.3, -0.2))
    controller = DualController(DualSpec(lr=0.7), proposal, np.array([1.0, 3.0, 0.5]))
    for _ in range(200):
        controller.update(rng.normal(size=3))
        assert controller.weights.min() >= 0
        assert controller.weights.sum() == pytest.approx(1.0)


def test_a_weighted_launch_never_moves():
    proposal = Proposal(LaunchKind.WEIGHTED, WeightVector((0.3, 0.7)), 0, "test", "test")
    controller = DualController(DualSpec(), proposal, np.ones(2))
    assert not controller.active
    controller.update(np.array([-9.0, -9.0]))
    assert controller.weights.tolist() == [0.3, 0.7]


def test_the_caller_cannot_move_the_weights_by_hand():
    proposal = Proposal(LaunchKind.WEIGHTED, WeightVector((0.3, 0.7)), 0, "test", "test")
    controller = DualController(DualSpec(), proposal, np.ones(2))
    controller.weights[0] = 5.0
    assert controller.weights.tolist() == [0.3, 0.7]


def test_nonsense_is_refused():
    controller = DualController(DualSpec(), constrained((1.0, 0.0), (0.0, 0.0)), np.ones(2))
    with pytest.raises(NonFiniteError, match="validation gains"):
        controller.update(np.array([np.nan, 0.0]))
    with pytest.raises(ShapeError, match="shape"):
        controller.update(np.zeros(3))
    with pytest.raises(ShapeError, match="scale"):
        DualController(DualSpec(), constrained((1.0, 0.0), (0.0, 0.0)), np.ones(3))
