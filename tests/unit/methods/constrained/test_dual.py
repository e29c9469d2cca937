"""The dual controller, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from paretoflow.core.values import LaunchKind, Proposal, WeightVector
from paretoflow.methods.constrained.dual import DualController
from paretoflow.spec.methods import DualSpec
from tests.faults import raises

PLAIN = DualSpec(lr=1.0, lookahead=0)
BARRIER = DualSpec(form="barrier", sharpness=20, lookahead=0)


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
    controller = DualController(PLAIN, constrained((1.0, 0.0), (9.0, 0.5)), np.array([1.0, 2.0]))
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
    controller = DualController(PLAIN, proposal, np.ones(3))
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
    with raises("non-finite", "validation gains"):
        controller.update(np.array([np.nan, 0.0]))
    with raises("shape", "shape"):
        controller.update(np.zeros(3))
    with raises("shape", "scale"):
        DualController(DualSpec(), constrained((1.0, 0.0), (0.0, 0.0)), np.ones(3))


def test_the_lookahead_goes_on_as_the_last_look_did():
    spec = DualSpec(lr=1.0, lookahead=2.0)
    controller = DualController(spec, constrained((1.0, 0.0), (0.0, 0.0)), np.ones(2))
    controller.update(np.array([0.0, 0.3]))
    assert controller.multipliers.tolist() == [0.0, 0.0]
    controller.update(np.array([0.0, 0.1]))  # 0.1 - 2 * 0.2 = -0.3
    np.testing.assert_allclose(controller.multipliers, [0.0, 0.3])
    assert controller.multipliers[0] == 0.0


def test_the_barrier_of_the_docstring():
    proposal = constrained((1.0, 0.0), (0.0, 0.45))
    controller = DualController(BARRIER, proposal, np.ones(2), np.array([0.2, 0.5]))
    np.testing.assert_allclose(controller.weights, [0.5, 0.5])  # the parent has 0.05 to give
    controller.update(np.array([0.1, 0.45]))
    np.testing.assert_allclose(controller.multipliers, [0.0, 0.1])
    controller.update(np.array([0.1, -0.2]))  # misses it: the tangent's slope
    np.testing.assert_allclose(controller.multipliers, [0.0, 10.0])


@pytest.mark.parametrize("spec", [PLAIN, DualSpec(), BARRIER], ids=str)
def test_permuting_objectives_permutes_the_weights(spec):
    rng = np.random.default_rng(3)
    start, bounds = (0.5, 0.3, 0.2), (-np.inf, -0.1, -0.2)
    order = [2, 0, 1]
    scale, parent = np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.0, 0.05])
    one = DualController(spec, constrained(start, bounds), scale, parent)
    other = DualController(
        spec,
        constrained(tuple(start[i] for i in order), tuple(bounds[i] for i in order), target=1),
        scale[order],
        parent[order],
    )
    for _ in range(5):
        change = rng.normal(0, 0.3, 3)
        one.update(change)
        other.update(change[order])
        np.testing.assert_allclose(other.weights, one.weights[order])
    assert one.multipliers.max() > 0


@pytest.mark.parametrize("spec", [PLAIN, DualSpec(), BARRIER], ids=str)
def test_a_controller_goes_on_from_its_memory(spec):
    changes = np.random.default_rng(1).normal(0, 0.2, (6, 2))
    proposal = constrained((1.0, 0.0), (0.0, -0.05))
    whole = DualController(spec, proposal, np.ones(2))
    first, rest = (DualController(spec, proposal, np.ones(2)) for _ in range(2))
    for change in changes[:3]:
        for controller in (whole, first):
            controller.observe(0.3 * change)
            controller.update(change)
            controller.observe(0.5 * change)
    rest.restore(first.memory)
    for change in changes[3:]:
        for controller in (whole, rest):
            controller.update(change)
            controller.observe(change)
        np.testing.assert_allclose(rest.weights, whole.weights)


def test_thresholds_are_changes_from_the_parent():
    """Whatever the level of the prompts that are looked at: only what changed counts."""
    proposal = constrained((1.0, 0.0), (9.0, 0.6))
    controller = DualController(PLAIN, proposal, np.ones(2), np.array([0.2, 0.7]))
    controller.update(np.array([0.3, -0.1]))  # just what is allowed
    np.testing.assert_allclose(controller.multipliers, 0, atol=1e-12)
    controller.update(np.array([0.3, -0.3]))
    np.testing.assert_allclose(controller.multipliers, [0.0, 0.2])


def test_a_barrier_follows_minibatches_between_looks():
    """By hand: levels 0.4, then 0.2: of a fall by 0.2 a fifth counts, 0.04 of the room of 0.1."""
    proposal = constrained((1.0, 0.0), (0.0, -0.1))
    controller = DualController(BARRIER, proposal, np.ones(2))
    controller.observe(np.array([0.0, 0.4]))  # the parent itself
    np.testing.assert_allclose(controller.multipliers, [0.0, 1 / (20 * 0.1)])
    controller.observe(np.array([0.0, 0.2]))
    np.testing.assert_allclose(controller.multipliers, [0.0, 1 / (20 * 0.06)])
    controller.update(np.array([0.0, 0.0]))  # a look says what counts
    np.testing.assert_allclose(controller.multipliers, [0.0, 1 / (20 * 0.1)])
    controller.observe(np.array([0.0, 0.36]))  # as the running level: nothing has changed
    np.testing.assert_allclose(controller.multipliers, [0.0, 1 / (20 * 0.1)])


def test_multipliers_wait_for_the_next_look():
    controller = DualController(PLAIN, constrained((1.0, 0.0), (0.0, -0.1)), np.ones(2))
    for level in (0.0, -5.0):
        controller.observe(np.array([0.0, level]))
    assert controller.weights.tolist() == [1.0, 0.0]
