"""The group with its reference answer, and the objective's terms."""

from __future__ import annotations

import numpy as np
import pytest

from paretoflow.methods.online.aggregators import RewardBatch
from paretoflow.methods.online.aggregators.base import group_normalised
from tests.unit.methods.preferences.test_pairs import candidates

pytestmark = pytest.mark.train

torch = pytest.importorskip("torch")

WEIGHTS = np.array([0.25, 0.75])


def group_of(gains: list[list[list[float]]]):
    from paretoflow.methods.online.grao import ReferenceGroup

    return ReferenceGroup(candidates(gains))


def batch_of(rewards: np.ndarray, prompts: list[int], weights: np.ndarray = WEIGHTS) -> RewardBatch:
    lengths = np.ones(rewards.shape[:2], dtype=np.int64)
    return RewardBatch(rewards, weights, np.array(prompts), lengths, group_normalised)


def test_the_weights_by_hand():
    from paretoflow.methods.online.grao import answer_weights

    own, pull = answer_weights(torch.tensor([1.0, -2.0]), torch.ones(2), 0.5, 0.6)
    assert own.tolist() == pytest.approx([1.6, -3.2])
    assert pull.tolist() == pytest.approx([-0.1, 1.7])


def test_the_weights_are_the_written_objective():
    from paretoflow.methods.online.grao import answer_weights

    samples, reference, a, a_y = torch.randn(4, 6, generator=torch.manual_seed(0)).double()
    reference, a_y = reference[:1], a_y[:1]
    own, pull = answer_weights(a, a_y.expand(6), 0.5, 0.6)
    written = (
        (a * samples).mean() + 0.5 * a_y * reference + 0.6 * (a * (samples - reference)).mean()
    )
    assert float((own * samples + pull * reference).mean()) == pytest.approx(float(written))


def test_the_reference_is_the_best_under_the_weights_in_force():
    group = group_of([[[9, 0], [0, 2], [0, 1]], [[8, 1], [1, 1], [8, 1]]])
    rewards = np.zeros((2, 2, 2))
    group.advantages(batch_of(rewards, [1, 0], np.array([0.0, 1.0])))
    assert group.references.tolist() == [[1, 0], [0, 1]]
    group.advantages(batch_of(rewards, [1, 0], np.array([1.0, 0.0])))
    assert group.references.tolist() == [[1, 0], [0, 0]]


def test_samples_and_reference_are_normalised_together_by_hand():
    group = group_of([[[0, 4], [0, 0]]])
    advantages = group.advantages(batch_of(np.array([[[0.0, 0], [0, 2.0]]]), [0]))
    # 0 and 1.5, and 3 for the reference: mean 1.5, deviation 1.5
    np.testing.assert_allclose(advantages, [[-1, 0]], atol=1e-3)
    np.testing.assert_allclose(group.reference_advantages, [1], atol=1e-3)
    assert group.metrics() == {"reference_advantage": pytest.approx(1, abs=1e-3)}


def test_advantages_of_a_group_and_its_reference_sum_to_zero():
    rng = np.random.default_rng(0)
    group = group_of(rng.normal(size=(5, 3, 2)).tolist())
    advantages = group.advantages(batch_of(rng.normal(size=(4, 6, 2)), [3, 0, 4, 4]))
    totals = advantages.sum(axis=1) + group.reference_advantages
    np.testing.assert_allclose(totals, 0, atol=1e-9)
