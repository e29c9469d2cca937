"""Each aggregator by hand, and what its formula promises beyond the slot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from paretoflow.core.values import FloatArray
from paretoflow.front.hypervolume import improvement as independent_improvement
from paretoflow.methods.online.aggregators.base import (
    group_normalised,
    leave_one_out,
    weighted_margins,
)
from paretoflow.methods.online.aggregators.chebyshev import chebyshev
from paretoflow.methods.online.aggregators.grad_dynamic import influences, tilted
from paretoflow.methods.online.aggregators.hv_dynamic import improvement, meta_factor
from paretoflow.methods.online.aggregators.linear import linear
from paretoflow.methods.online.aggregators.log_sigmoid import log_sigmoid_centred
from paretoflow.methods.online.aggregators.maxmin import maxmin_shares
from paretoflow.methods.online.aggregators.normalize_then_sum import normalize_then_sum
from paretoflow.methods.online.aggregators.pama import min_norm_coefficients, progress, token_means
from tests.unit.methods.online.aggregator_bench import GROUP, base_gains, batch_of, built

HALVES = np.array([0.5, 0.5])
WEIGHTS = np.array([0.5, 0.3, 0.2])


def test_linear_by_hand():
    batch = replace(
        batch_of(HALVES, (0, 1), leave_one_out), rewards=np.array([[[1.0, 0.0], [0.0, 3.0]]])
    )
    assert linear(batch).tolist() == [[-1.0, 1.0]]


def test_margins_by_hand():
    values = np.array([[[0.0, 0.0], [2.0, 6.0]], [[5.0, 1.0], [5.0, 1.0]]])
    np.testing.assert_allclose(weighted_margins(np.array([0.5, 2.0]), values), [0.5, 6.0])


def test_normalize_then_sum_by_hand():
    rewards = np.array([[[0.0, 2.0], [5.0, 1.0]]])
    advantages = normalize_then_sum(rewards, np.array([0.75, 0.25]))
    np.testing.assert_allclose(advantages, [[-0.7071, 0.7071]], atol=3e-4)


def test_chebyshev_by_hand():
    utility = chebyshev(np.array([1.0, 2.0]), np.array([0.25, 0.75]), np.array([3.0, 3.0]), 0.1)
    assert utility == pytest.approx(-0.875)


def test_chebyshev_takes_the_dent_that_no_weighted_sum_takes():
    rewards = np.array([[3.0, 0.0], [1.2, 1.2], [0.0, 3.0]])
    weights = (np.array([w, 1 - w]) for w in np.linspace(0, 1, 101))
    assert all(np.argmax(rewards @ w) != 1 for w in weights)
    assert np.argmax(chebyshev(rewards, HALVES, np.array([3.0, 3.0]), 0.05)) == 1


def test_beyond_the_ideal_there_is_more_to_gain():
    utility = chebyshev(np.array([[4.0, 5.0], [4.5, 5.0]]), HALVES, np.array([3.0, 3.0]), 0.0)
    assert utility.tolist() == [0.5, 0.75]


def test_maxmin_by_hand():
    means = np.array([0.0, np.log(3)])
    np.testing.assert_allclose(maxmin_shares(means, HALVES, 1.0), [0.75, 0.25])
    assert maxmin_shares(means, HALVES, None).tolist() == [1.0, 0.0]


def test_the_smooth_minimum_goes_from_the_weights_to_the_hard_one():
    means = np.array([0.3, -0.2, 0.5])
    np.testing.assert_allclose(maxmin_shares(means, WEIGHTS, 1e-9), WEIGHTS, atol=1e-8)
    np.testing.assert_allclose(maxmin_shares(means, WEIGHTS, 1e3), [0, 1, 0], atol=1e-9)
    np.testing.assert_allclose(maxmin_shares(means, np.array([0.5, 0.0, 0.5]), 1e4), [1, 0, 0])


def test_worst_objectives_that_are_equal_share_by_their_weights():
    np.testing.assert_allclose(
        maxmin_shares(np.array([0.0, 0.0, 1.0]), WEIGHTS, None), [0.625, 0.375, 0.0]
    )


def test_log_sigmoid_by_hand():
    transformed = log_sigmoid_centred(np.array([1.0, 1.0 + np.log(3)]), np.array(1.0))
    np.testing.assert_allclose(transformed, [-np.log(2), -np.log(4 / 3)])


def test_log_sigmoid_saturates_above_and_is_linear_below():
    far = log_sigmoid_centred(np.array([-800.0, 800.0]), np.array(0.0))
    np.testing.assert_allclose(far, [-800.0, 0.0], atol=1e-12)


def test_the_reference_is_the_prompts_own_quantile_of_the_stored_candidates():
    aggregator = built({"type": "log_sigmoid", "ref_quantile": 0.5})
    gains = base_gains()
    references = (np.median(gains, axis=1) - gains.mean(axis=(0, 1))) / gains.std(axis=(0, 1))
    batch = batch_of(WEIGHTS, estimate=lambda utility: utility)
    want = [
        [-np.log1p(np.exp(references[prompt] - answer)) @ WEIGHTS for answer in group]
        for prompt, group in zip((2, 0), batch.rewards, strict=True)
    ]
    np.testing.assert_allclose(aggregator.advantages(batch), want)


def test_pama_by_hand():
    np.testing.assert_allclose(min_norm_coefficients(np.array([-1.0, 3.0, 2.0])), [0.75, 0.25, 0])
    assert min_norm_coefficients(np.array([2.0, 1.0, 4.0])).tolist() == [0, 1, 0]
    assert min_norm_coefficients(np.array([-2.0, -1.0])).tolist() == [0, 1]
    assert min_norm_coefficients(np.array([1.0, 1.0, 2.0])).tolist() == [0.5, 0.5, 0]
    assert token_means(np.array([[[1.0], [4.0]]]), np.array([[2.0, 1.0]])).tolist() == [2.0]


@pytest.mark.parametrize("shift", [-1.0, 0.0, 1.0])
def test_pamas_value_is_the_projection_of_zero(shift):
    rng = np.random.default_rng(1)
    for _ in range(200):
        levels = rng.normal(loc=shift, size=rng.integers(1, 9))
        coefficients = min_norm_coefficients(levels)
        assert (coefficients >= 0).all()
        assert coefficients.sum() == pytest.approx(1.0)
        projection = np.clip(0.0, levels.min(), levels.max())
        assert coefficients @ levels == pytest.approx(projection, abs=1e-12)
        others = rng.dirichlet(np.ones(len(levels)), size=50) @ levels
        assert (np.abs(others) >= abs(projection) - 1e-12).all()


def pama_batch(advantages: FloatArray, weights: FloatArray):
    """Return one group of answers of one token each whose advantages are the rewards."""
    return replace(
        batch_of(weights, (0, 1), lambda utility: utility),
        rewards=advantages[None],
        lengths=np.ones((1, len(advantages)), dtype=np.int64),
    )


PUBLISHED = {"type": "pama", "levels": "advantages", "weighted": False}


def test_pama_trains_on_the_laggards_answers_and_the_literal_form_on_all_alike():
    batch = pama_batch(np.array([[4.0, -1.0], [-4.0, 2.0]]), HALVES)  # means 2 and 1 after Noon
    pama = built(PUBLISHED, columns=(0, 1))
    assert pama.advantages(batch).tolist() == [[0.0, 2.0]]
    assert pama.metrics() == {"coefficient/o0": 0.0, "coefficient/o1": 1.0}
    scalar = built("pama_scalar", columns=(0, 1))
    assert scalar.advantages(batch).tolist() == [[1.0, 1.0]]
    assert scalar.metrics() == {"pama_step": 1.0}


def test_a_batch_in_which_one_objective_is_stationary_makes_no_step():
    batch = pama_batch(np.array([[4.0, -1.0], [-4.0, -2.0]]), HALVES)
    assert built("pama", columns=(0, 1)).advantages(batch).tolist() == [[0.0, 0.0]]


def test_with_weighted_pama_more_weight_makes_a_laggard():
    answers = np.array([[4.0, -1.0], [-4.0, 2.0]])
    leaning = pama_batch(answers, np.array([0.8, 0.2]))  # 2 / 0.8 is less than 1 / 0.2
    weighted = built(PUBLISHED | {"weighted": True}, columns=(0, 1))
    assert weighted.advantages(leaning).tolist() == [[4.0, 0.0]]
    assert built(PUBLISHED, columns=(0, 1)).advantages(leaning).tolist() == [[0.0, 2.0]]


def test_progress_by_hand():
    levels = progress(np.array([[[0.0, 0.0], [1.0, -2.0]]]), np.array([1.0, 2.0]))
    np.testing.assert_allclose(levels, [np.exp(0.5), np.exp(-0.5)])
    assert (progress(np.array([[[-1e9, 1e9]]]), np.ones(2)) > 0).all()


def chosen(aggregation: object, lag: float, estimate: Any, spreads: Any = (1.0, 1.0)) -> float:
    """Return the mean share of the second objective, which is `lag` deviations behind."""
    aggregator, rng = built(aggregation, columns=(0, 1)), np.random.default_rng(0)
    told = []
    for _ in range(200):
        rewards = rng.normal(size=(2, GROUP, 2)) * spreads - (0.0, lag)
        aggregator.advantages(replace(batch_of(HALVES, (0, 1), estimate), rewards=rewards))
        told.append(aggregator.metrics()["coefficient/o1"])
    return float(np.mean(told))


@pytest.mark.few(2)
@pytest.mark.parametrize("estimate", [group_normalised, leave_one_out])
@pytest.mark.parametrize("weighted", [True, False])
def test_an_objective_that_lags_is_chosen(estimate, weighted):
    pama = {"type": "pama", "weighted": weighted}
    assert chosen(pama, 10.0, estimate) == 1.0
    assert chosen(pama, 2.0, estimate) > 0.95
    assert chosen(pama, -2.0, estimate) < 0.05
    # advantages do not know: as good as tossing a coin
    assert chosen(PUBLISHED, 10.0, estimate) == pytest.approx(0.5, abs=0.1)


def test_neither_objective_wins_by_its_spread():
    """Under RLOO the published levels took the objective of the smaller spread."""
    for estimate in (group_normalised, leave_one_out):
        share = chosen("pama", 0.0, estimate, spreads=(3.0, 1.0))
        assert share == pytest.approx(0.5, abs=0.12)
    assert chosen(PUBLISHED, 0.0, leave_one_out, spreads=(3.0, 1.0)) > 0.9


@pytest.mark.parametrize("weights", [(0.5, 0.5), (0.8, 0.2), (0.2, 0.8)])
def test_weighted_pama_settles_where_the_weights_ask(weights):
    """A plant whose objectives grow by what they are given and shrink by what the other is."""
    pama, state = built("pama", columns=(0, 1)), np.zeros(2)
    targets = pama._targets
    for _ in range(400):
        rewards = np.broadcast_to(state + pama._base, (2, GROUP, 2))
        pama.advantages(replace(batch_of(weights, (0, 1)), rewards=rewards))
        shares = np.array(list(pama.metrics().values()))
        state = state + 0.01 * targets * (2 * shares - 1)
    lead = state / targets
    assert lead[0] - lead[1] == pytest.approx(np.log(weights[0] / weights[1]), abs=0.1)


def test_an_improvement_by_hand():
    front = np.array([[2.0, 1.0], [1.0, 2.0]])
    assert improvement(np.array([2.0, 2.0]), front) == pytest.approx(1.0)
    assert improvement(np.array([1.0, 1.0]), front) == 0.0
    assert improvement(np.array([3.0, -1.0]), front) == 0.0
    assert improvement(np.array([2.0, 3.0]), np.empty((0, 2))) == pytest.approx(6.0)


@pytest.mark.parametrize("m", [1, 2, 3, 4])
def test_improvements_are_those_of_an_independent_library(m):
    rng = np.random.default_rng(m)
    for n in (0, 1, 2, 12):
        front, points = rng.normal(0.5, 1.0, size=(n, m)), rng.normal(0.7, 1.0, size=(8, m))
        front = np.vstack([front, front[:1], front[:1] + 0.1])  # a copy, and what dominates it
        want = independent_improvement(points, front, np.zeros(m))
        np.testing.assert_allclose([improvement(p, front) for p in points], want, atol=1e-9)


def test_the_meta_factor_by_hand():
    assert meta_factor(0.0) == 0.5
    assert meta_factor(np.arctanh(1 / 3)) == pytest.approx(1.0)
    assert meta_factor(5.0) < 2.0


@pytest.mark.parametrize("combine", ["linear", "normalize_then_sum"])
def test_the_factor_cancels_on_rewards_and_not_on_advantages(combine):
    scaled = {}
    for scales in ("rewards", "advantages"):
        aggregator = built({"type": "hv_dynamic", "combine": combine, "scales": scales})
        before = aggregator.advantages(batch_of(WEIGHTS))
        aggregator.look(np.full(3, -50.0))  # no improvement: times 0.5
        scaled[scales] = aggregator.advantages(batch_of(WEIGHTS)) / before
        assert aggregator.metrics() == {"hypervolume_factor": 0.5}
    np.testing.assert_allclose(scaled["rewards"], 1.0, atol=2e-3)
    np.testing.assert_allclose(scaled["advantages"], 0.5, rtol=1e-12)
    kept = built({"type": "hv_dynamic", "combine": "linear", "scales": "rewards"})
    kept.look(np.full(3, -50.0))
    plain = batch_of(WEIGHTS, estimate=leave_one_out)  # RLOO divides by nothing: no cancelling
    np.testing.assert_allclose(kept.advantages(plain), 0.5 * linear(plain))


def test_improvement_is_measured_against_the_sweeps_front_and_the_runs_own_points():
    sweep = {"type": "hv_dynamic", "measure": "sweep"}
    mean = built(sweep)._ref
    alone, late = built(sweep), built(sweep, front=mean + np.full((1, 3), 0.9))
    for aggregator in (alone, late):
        aggregator.look(mean + 0.5)
    assert alone.metrics()["hypervolume_factor"] == pytest.approx(meta_factor(0.125))
    assert late.metrics()["hypervolume_factor"] == 0.5
    alone.look(mean + 0.5)  # again: it is no news
    assert alone.metrics()["hypervolume_factor"] == 0.5
    resumed = built(sweep, front=mean + np.full((1, 3), 0.9))
    resumed.restore(alone.state())
    assert resumed.state() == alone.state()


def factors(points: Any) -> list[float]:
    aggregator, told = built("hv_dynamic"), []
    for point in points:
        aggregator.look(aggregator._ref + point)
        told.append(aggregator.metrics()["hypervolume_factor"])
    return told


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_the_factor_uses_its_whole_range_at_any_scale(scale):
    """A run that gains, gains less and less, and then falls back: strong weight, then none."""
    way = scale * (1 - np.exp(-np.arange(1, 20) / 3))
    told = factors([np.full(3, v) for v in [*way, 0.5 * scale]])
    assert told[0] == pytest.approx(meta_factor(1.0))
    assert max(told) > 1.6
    assert told[-1] == 0.5
    assert told[-2] < 0.7
    assert sum(f > 0.55 for f in told) > len(told) / 2


def test_a_leap_after_small_steps_is_pushed_hardest():
    assert factors([np.full(3, v) for v in (0.1, 0.12, 0.14, 0.16, 0.9)])[-1] > 1.9


def test_looks_come_every_few_steps_and_not_before_the_first():
    aggregator = built({"type": "hv_dynamic", "every": 3})
    assert [step for step in range(8) if aggregator.due(step)] == [3, 6]


def test_influences_and_tilts_by_hand():
    gradients = np.array([[3.0, 0.0], [-1.0, 1.0]])
    assert influences(gradients @ gradients.T, 100.0).tolist() == [6.0, -1.0]
    np.testing.assert_allclose(tilted(HALVES, np.array([np.log(3), 0.0])), [0.75, 0.25])
    np.testing.assert_allclose(tilted(np.array([0.0, 1.0]), np.array([1e4, -1e4])), [0.0, 1.0])


def test_gradients_are_clipped_before_they_are_compared():
    gradients = np.array([[3.0, 0.0], [-0.3, 0.4]])  # norms 3 and 0.5
    clipped = np.array([[1.0, 0.0], [-0.3, 0.4]])
    np.testing.assert_allclose(
        influences(gradients @ gradients.T, 1.0), clipped @ clipped.sum(axis=0)
    )


def test_an_influence_is_the_slope_of_the_summed_objective_along_a_gradient():
    rng = np.random.default_rng(5)
    bowls, centres = rng.uniform(0.5, 2.0, size=(3, 6)), rng.normal(size=(3, 6))

    def total(point: FloatArray) -> float:
        return float((bowls * np.square(point - centres)).sum())

    point = rng.normal(size=6)
    gradients = 2 * bowls * (point - centres)
    want = [(total(point + 1e-6 * g) - total(point - 1e-6 * g)) / 2e-6 for g in gradients]
    np.testing.assert_allclose(influences(gradients @ gradients.T, 1e9), want, rtol=1e-6)


def test_weights_move_with_the_mean_influence_of_several_steps():
    aggregator = built({"type": "grad_dynamic", "rate": 0.5, "every": 2, "clip": 1e9})
    gram = np.diag([1.0, 2.0, 3.0])
    aggregator.advantages(batch_of(WEIGHTS))
    assert list(aggregator.metrics().values()) == pytest.approx(WEIGHTS)
    aggregator.learn(gram)
    aggregator.advantages(batch_of(WEIGHTS))
    assert list(aggregator.metrics().values()) == pytest.approx(WEIGHTS)
    aggregator.learn(3 * gram)
    aggregator.advantages(batch_of(WEIGHTS))
    moved = WEIGHTS * np.exp(0.5 * np.array([2.0, 4.0, 6.0]))
    assert list(aggregator.metrics().values()) == pytest.approx(moved / moved.sum())
