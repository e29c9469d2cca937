"""Thumbs up and down: thresholds, and the odds that match good and bad prompts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paretoflow.methods.preferences.binary_labels import (
    ThumbTable,
    above,
    fit_logistic,
    prompt_features,
)
from tests.unit.methods.offline_bench import candidates

ONE = np.ones(1)


def test_a_quantile_parts_good_from_bad():
    assert above(np.array([1.0, 2, 3, 4]), 0.5).tolist() == [False, False, True, True]
    assert above(np.array([1.0, 2, 3, 4]), 0.8).tolist() == [False, False, False, True]
    assert above(np.array([0.0, 1, 1]), 0.5).tolist() == [False, True, True]
    assert above(np.ones(3), 0.5).all()


def test_answers_are_labelled_by_their_weighted_score():
    table = ThumbTable(candidates([[[1.0, 0], [0, 1]], [[2, -9], [-9, 2]]]), 0.5)
    for weights, best in (((1.0, 0.0), [(0, 0), (1, 0)]), ((0.0, 1.0), [(0, 1), (1, 1)])):
        thumbs = table.labelled(np.array(weights))
        assert [(t.prompt, t.answer) for t in thumbs] == [(0, 0), (0, 1), (1, 0), (1, 1)]
        assert [(t.prompt, t.answer) for t in thumbs if t.good] == best


def test_answers_that_all_score_the_same_have_no_labels():
    assert ThumbTable(candidates([[[1.0], [1.0]]]), 0.5).labelled(ONE) == []


def test_a_prompt_with_more_good_answers_has_higher_odds():
    gains = [[[1.0], [2.0]], [[1.0], [-1.0]], [[-2.0], [-1.0]]]
    thumbs = ThumbTable(candidates(gains), 0.5).labelled(ONE)
    easy, even, hard = (next(t.odds for t in thumbs if t.prompt == p) for p in range(3))
    assert easy > 1.2 > even > hard
    assert even == pytest.approx(1)
    assert easy * hard == pytest.approx(1)  # good and bad are mirrored


@pytest.mark.parametrize("quantile", [0.3, 0.5, 0.8])
def test_prompts_that_look_alike_have_even_odds_at_any_threshold(quantile):
    rng = np.random.default_rng(1)
    table = replace(candidates(rng.normal(size=(6, 5, 1))), prompt_ids=((5, 6),) * 6)
    thumbs = ThumbTable(table, quantile).labelled(ONE)
    assert np.mean([not t.good for t in thumbs]) == pytest.approx(quantile, abs=0.04)
    np.testing.assert_allclose([t.odds for t in thumbs], 1, rtol=1e-12)


def test_features_are_a_constant_and_unit_token_counts():
    table = replace(candidates([[[0.0]]] * 2), prompt_ids=((3, 3, 4, 259), (7,)))
    features = prompt_features(table)
    assert features[:, 0].tolist() == [1, 1]
    assert features[0, 4] == pytest.approx(3 / np.sqrt(10))  # 259 falls on 3
    assert features[0, 5] == pytest.approx(1 / np.sqrt(10))
    np.testing.assert_allclose(np.linalg.norm(features[:, 1:], axis=1), 1)


def test_the_classifier_by_hand():
    theta = fit_logistic(np.ones((1, 1)), np.ones(1), np.zeros(1))
    assert theta == pytest.approx([0.401058], abs=1e-6)
    assert theta[0] == pytest.approx(1 / (1 + np.exp(theta[0])))


def test_the_classifier_is_where_its_loss_is_flat():
    rng = np.random.default_rng(2)
    features = rng.normal(size=(40, 6))
    ups, downs = rng.integers(0, 20, size=(2, 40)).astype(np.float64)
    theta = fit_logistic(features, ups, downs)
    likely = 1 / (1 + np.exp(-features @ theta))
    slope = features.T @ ((ups + downs) * likely - ups) + theta
    np.testing.assert_allclose(slope, 0, atol=1e-9)
