from __future__ import annotations

import numpy as np
import pytest

from paretoflow.methods.conditioned.prompts import (
    angle_between,
    direction_of,
    directions_within,
    weights_of,
)

CENTRES = ([1.0, 0.0], [0.5, 0.5], [0.1, 0.9], [1.0, 0.0, 0.0], [0.2, 0.5, 0.3])


def test_a_direction_has_length_one_and_goes_through_its_weights():
    np.testing.assert_allclose(direction_of(np.array([0.5, 0.5])), [0.70710678] * 2)
    for centre in CENTRES:
        weights = np.array(centre)
        np.testing.assert_allclose(np.linalg.norm(direction_of(weights)), 1.0)
        np.testing.assert_allclose(weights_of(direction_of(weights)), weights)


def test_angles_by_hand():
    assert angle_between(np.array([1.0, 0.0]), np.array([0.5, 0.5])) == pytest.approx(45)
    assert angle_between(np.array([0.3, 0.7]), np.array([0.3, 0.7])) == pytest.approx(0, abs=1e-5)
    assert angle_between(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(90)


@pytest.mark.parametrize("centre", CENTRES)
@pytest.mark.parametrize("angle", [5.0, 30.0, 90.0])
def test_neighbours_are_unit_vectors_of_the_orthant_within_the_angle(centre, angle):
    found = directions_within(np.array(centre), angle, 200, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0)
    assert (found >= 0).all()
    assert max(angle_between(v, np.array(centre)) for v in found) <= angle + 1e-6


def test_inside_the_orthant_the_angle_of_two_objectives_is_uniform():
    found = directions_within(np.array([0.5, 0.5]), 30, 20_000, np.random.default_rng(1))
    angles = np.degrees(np.arctan2(found[:, 1], found[:, 0]))
    shares = np.histogram(angles, bins=6, range=(15, 75))[0] / len(angles)
    np.testing.assert_allclose(shares, 1 / 6, atol=0.01)
