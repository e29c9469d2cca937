"""What every gradient combiner promises, over all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from paretoflow.methods.gradients.combiners import COMBINERS, coefficients
from paretoflow.spec.methods import gradients as specs
from paretoflow.spec.shape import models_of

SPECS: dict[str, specs.CombinerSpec] = {
    "cagrad": specs.CagradCombinerSpec(type="cagrad"),
    "linear": specs.LinearCombinerSpec(type="linear"),
    "mgda": specs.MgdaCombinerSpec(type="mgda"),
    "raco": specs.RacoCombinerSpec(),
}
WEIGHTS = np.array([0.5, 0.3, 0.2])


@pytest.fixture(params=sorted(COMBINERS))
def spec(request) -> specs.CombinerSpec:
    return SPECS[request.param]


@pytest.fixture(params=[0, 1, 2, 3])
def gradients(request) -> np.ndarray:
    """Return three gradients that lean towards each other or away, shape (3, 5)."""
    rng = np.random.default_rng(request.param)
    return rng.normal(size=(3, 5)) + (request.param - 1.5) * rng.normal(size=5)


def combined(spec: Any, gradients: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return coefficients(spec, gradients @ gradients.T, weights)


def test_spec_code_and_examples_know_the_same_combiners():
    assert set(models_of(specs.CombinerSpec)) == set(COMBINERS) == set(SPECS)


@pytest.mark.parametrize("written", ["raco", {"type": "raco"}, {"type": "raco", "c": 0.4}])
def test_a_bare_tag_stands_for_its_defaults(written):
    assert TypeAdapter(specs.CombinerSpec).validate_python(written) == specs.RacoCombinerSpec()


def test_one_objective_with_all_the_weight_gets_all_the_say(spec, gradients):
    found = combined(spec, gradients, np.array([0.0, 1.0, 0.0]))
    alone = combined(spec, gradients[1:2], np.array([1.0]))
    assert found.tolist() == [0.0, alone[0], 0.0]
    assert alone[0] == pytest.approx(1.4 if spec.type in ("raco", "cagrad") else 1.0)


def test_permuting_objectives_permutes_coefficients(spec, gradients):
    order = [2, 0, 1]
    found = combined(spec, gradients, WEIGHTS)
    np.testing.assert_allclose(combined(spec, gradients[order], WEIGHTS[order]), found[order])


@pytest.mark.parametrize("unit", [1e-8, 1e6])
def test_the_unit_of_the_gradients_does_not_matter(unit, spec, gradients):
    found = combined(spec, gradients, WEIGHTS)
    np.testing.assert_allclose(combined(spec, gradients * unit, WEIGHTS), found, rtol=1e-9)


def test_equal_objectives_share_alike(spec, gradients):
    doubled = gradients[[0, 1, 1]]
    found = combined(spec, doubled, np.array([0.4, 0.3, 0.3]))
    assert found[1] == pytest.approx(found[2], rel=1e-9)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("rows", [[0, 1, 2], [0, 0, 0], [0, 1, 1]])
def test_opposed_gradients_give_finite_coefficients(rows, spec):
    gradients = np.array([[1.0, 2.0], [-1.0, -2.0], [2.0, -1.0]])[rows]
    found = combined(spec, gradients, WEIGHTS)
    assert np.isfinite(found).all()
    assert (found >= 0).all()


def test_an_objective_without_a_gradient_has_no_say(spec, gradients):
    silent = gradients * [[1.0], [0.0], [1.0]]
    found = combined(spec, silent, WEIGHTS)
    others = combined(spec, gradients[[0, 2]], WEIGHTS[[0, 2]])
    np.testing.assert_allclose(found, [others[0], 0.3, others[1]])


def test_no_gradient_at_all_leaves_the_weights(spec):
    assert coefficients(spec, np.zeros((3, 3)), WEIGHTS).tolist() == WEIGHTS.tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_broken_gradient_shows(bad, spec, gradients):
    gram = gradients @ gradients.T
    gram[0, 0] = bad
    assert np.isnan(coefficients(spec, gram, WEIGHTS)).all()


@pytest.mark.parametrize("tag", ["raco", "cagrad"])
def test_a_turn_of_no_length_is_the_weighted_sum(tag, gradients):
    spec = SPECS[tag].model_copy(update={"c": 0.0})
    np.testing.assert_allclose(combined(spec, gradients, WEIGHTS), WEIGHTS)
