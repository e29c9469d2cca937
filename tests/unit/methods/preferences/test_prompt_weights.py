"""Weights of each prompt's own: targets, floor, fit and composition; and DPO under them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from paretoflow.spec.methods import ProMethodSpec
from tests.method_bench import make_context, plain_dpo, train, weighted
from tests.unit.methods.preferences.test_pairs import candidates

pytestmark = pytest.mark.train

pytest.importorskip("torch")

SHARED: dict[str, Any] = {"steps": 2, "batch_size": 4, "learning_rate": 5e-3}
SHARE = 0.8112781244591328
"""Entropy of (0.75, 0.25) over log 2."""


@pytest.fixture(scope="module")
def context(tiny_lm):
    return make_context(tiny_lm)


def entropies(weights: np.ndarray) -> np.ndarray:
    logs = np.log(weights, out=np.zeros_like(weights), where=weights > 0)
    return -(weights * logs).sum(axis=1)


def test_the_preferred_answer_has_the_largest_sum_of_scores():
    from paretoflow.methods.preferences.prompt_weights import preferred_scores

    table = candidates([[[3.0, -1], [1, 2], [2, 1]], [[0, 0], [0, 0.5], [-1, 3]]])
    assert preferred_scores(table).tolist() == [[1, 2], [-1, 3]]


def test_targets_by_hand():
    from paretoflow.methods.preferences.prompt_weights import target_weights

    scores = np.array([[np.log(3), 0.0], [2 * np.log(3), 0.0]])
    np.testing.assert_allclose(target_weights(scores, 1.0, 0.0), [[0.75, 0.25], [0.9, 0.1]])
    np.testing.assert_allclose(target_weights(scores, 2.0, 0.0)[1], [0.75, 0.25])


def test_the_entropy_floor_by_hand():
    from paretoflow.methods.preferences.prompt_weights import with_entropy

    rows = np.array([[1.0, 0.0], [0.6, 0.4]])
    np.testing.assert_allclose(with_entropy(rows, SHARE), [[0.75, 0.25], [0.6, 0.4]], atol=1e-12)
    np.testing.assert_allclose(with_entropy(rows, 1.0), [[0.5, 0.5]] * 2, atol=1e-6)


def test_the_floor_holds_for_any_weights_and_moves_no_more_than_it_must():
    from paretoflow.methods.preferences.prompt_weights import with_entropy

    rows = np.random.default_rng(0).dirichlet([0.1] * 4, size=200)
    floored = with_entropy(rows, 0.6)
    least = 0.6 * np.log(4)
    assert (entropies(floored) >= least - 1e-9).all()
    low = entropies(rows) < least
    assert low.any()
    np.testing.assert_allclose(entropies(floored[low]), least, atol=1e-9)
    assert np.array_equal(floored[~low], rows[~low])
    assert (floored.argmax(axis=1) == rows.argmax(axis=1)).all()


def test_one_objective_always_has_all_the_weight():
    from paretoflow.methods.preferences.prompt_weights import target_weights

    assert target_weights(np.array([[3.0], [-1.0]]), 1.0, 0.5).tolist() == [[1.0], [1.0]]


def test_the_fit_finds_what_made_the_weights():
    from paretoflow.methods.preferences.prompt_weights import fitted_weights

    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 5))
    logits = features @ rng.normal(size=(5, 3))
    targets = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fitted_weights(features, targets, 1e-9), targets, atol=1e-4)


def test_the_fit_is_where_the_gradient_vanishes():
    from paretoflow.methods.preferences.prompt_weights import fitted_weights

    rng = np.random.default_rng(1)
    features, targets = rng.normal(size=(20, 30)), rng.dirichlet([1.0] * 3, size=20)
    fitted = fitted_weights(features, targets, 0.01)
    # the offset is free, so the residuals sum to zero; the matrix M is X^T (y - f) / (P ridge)
    np.testing.assert_allclose((targets - fitted).sum(axis=0), 0.0, atol=1e-7)
    x = (features - features.mean(axis=0)) / features.std(axis=0) / np.sqrt(30)
    logits = x @ (x.T @ (targets - fitted)) / (20 * 0.01)
    gaps = np.log(fitted) - logits
    gaps -= gaps.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(gaps, np.broadcast_to(gaps[0], gaps.shape), atol=1e-6)


def test_a_huge_ridge_gives_every_prompt_the_mean():
    from paretoflow.methods.preferences.prompt_weights import fitted_weights

    rng = np.random.default_rng(2)
    targets = rng.dirichlet([1.0] * 3, size=20)
    fitted = fitted_weights(rng.normal(size=(20, 4)), targets, 1e4)
    np.testing.assert_allclose(fitted, [targets.mean(axis=0)] * 20, atol=1e-4)


def test_permuting_objectives_permutes_the_fit():
    from paretoflow.methods.preferences.prompt_weights import fitted_weights

    rng = np.random.default_rng(3)
    features, targets = rng.normal(size=(20, 30)), rng.dirichlet([1.0] * 3, size=20)
    order = [2, 0, 1]
    fitted = fitted_weights(features, targets, 0.01)
    permuted = fitted_weights(features, targets[:, order], 0.01)
    np.testing.assert_allclose(permuted, fitted[:, order], atol=1e-7)


def test_composition_by_hand_and_one_hot_weights_as_they_are():
    from paretoflow.methods.preferences.prompt_weights import composed

    factors = np.array([[0.8, 0.2], [0.5, 0.5]])
    np.testing.assert_allclose(composed(np.array([0.2, 0.8]), factors), [[0.5, 0.5], [0.2, 0.8]])
    rough = np.random.default_rng(4).dirichlet([0.01] * 3, size=100) + 1e-12
    assert (composed(np.array([0.0, 1.0, 0.0]), rough) == [0.0, 1.0, 0.0]).all()


def test_features_do_not_depend_on_the_batch(context):
    from paretoflow.methods.preferences.prompt_weights import prompt_features

    ids = context.candidates.prompt_ids
    assert len({len(row) for row in ids}) > 1
    together = prompt_features(context.lm, ids, 4)
    np.testing.assert_allclose(together, prompt_features(context.lm, ids, 1), atol=1e-5)
    assert together.shape == (4, 32)


def test_a_prompts_weights_can_turn_a_pair_round(context):
    from paretoflow.methods.preferences.pairs import PairTable, weighted_margins
    from paretoflow.methods.preferences.prompt_weights import composed

    factors = np.array([[0.8, 0.2]])
    table = candidates([[[1.0, 0], [0, 0.5]]])

    def margins(differences: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return weighted_margins(differences, composed(weights, factors)[:, None, :])

    weights = np.array([0.2, 0.8])
    assert PairTable(table, 1).ranked(weights).tolist() == [[0, 1, 0]]
    assert PairTable(table, 1, margins).ranked(weights).tolist() == [[0, 0, 1]]


def same(one: Any, other: Any) -> bool:
    return all(np.array_equal(v, other.adapter[k]) for k, v in one.adapter.items())


def test_one_hot_weights_are_dpo_to_the_last_bit_and_mixed_ones_are_not(context, tmp_path):
    dpo, pro = plain_dpo(**SHARED), ProMethodSpec(type="pro", temperature=0.1, **SHARED)
    one_hot = weighted(0.0, 1.0, 0.0)
    assert same(train(context, dpo, one_hot, tmp_path), train(context, pro, one_hot, tmp_path))
    mixed = weighted(0.5, 0.3, 0.2)
    assert not same(train(context, dpo, mixed, tmp_path), train(context, pro, mixed, tmp_path))


def test_equal_weights_of_all_prompts_are_dpo(context, tmp_path):
    flat = ProMethodSpec(type="pro", entropy_floor=1.0, **SHARED)
    mixed = weighted(0.5, 0.3, 0.2)
    plain = train(context, plain_dpo(**SHARED), mixed, tmp_path)
    assert same(plain, train(context, flat, mixed, tmp_path))
