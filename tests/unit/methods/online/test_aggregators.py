"""What every aggregator promises, and what TRL's two ways to compare answers are by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest

from paretoflow.methods.online.aggregators import TAGS, Aggregator, build
from paretoflow.methods.online.aggregators.base import group_normalised, leave_one_out
from paretoflow.spec.methods import GrpoMethodSpec
from paretoflow.spec.methods.aggregators import AggregationName, AggregationSpec
from tests.unit.methods.online.aggregator_bench import (
    EVERYONE,
    GROUP,
    base_gains,
    batch_of,
    built,
    context_of,
)

AGGREGATORS: dict[str, Any] = {
    "linear": "linear",
    "normalize_then_sum": "normalize_then_sum",
    "chebyshev": "chebyshev",
    "maxmin": "maxmin",
    "maxmin, smooth": {"type": "maxmin", "tau": 2.0},
    "log_sigmoid": "log_sigmoid",
    "pama": "pama",
    "pama, signed": {"type": "pama", "noon": False},
    "pama, published": {"type": "pama", "levels": "advantages", "weighted": False},
    "pama_scalar": "pama_scalar",
    "hv_dynamic": "hv_dynamic",
    "hv_dynamic, literal": {
        "type": "hv_dynamic",
        "measure": "sweep",
        "scales": "rewards",
        "every": 1,
    },
    "grad_dynamic": "grad_dynamic",
    "grad_dynamic, slow": {
        "type": "grad_dynamic",
        "combine": "normalize_then_sum",
        "every": 2,
    },
}
WEIGHTS = np.array([0.5, 0.3, 0.2])
GAINS = np.array([1.0, 8.0, 0.3])
GRAM = np.array([[4.0, -1.0, 0.5], [-1.0, 1.0, 0.2], [0.5, 0.2, 0.1]])


@pytest.fixture(params=sorted(AGGREGATORS))
def aggregation(request) -> Any:
    return AGGREGATORS[request.param]


def lived(aggregator: Aggregator, columns: tuple[int, ...] = EVERYONE) -> Aggregator:
    """Return an aggregator that has seen a look and the gradients of three steps."""
    chosen = list(columns)
    aggregator.look(GAINS[chosen])
    for factor in (1.0, 0.5, 0.1):
        aggregator.learn(factor * GRAM[np.ix_(chosen, chosen)])
    return aggregator


def test_spec_and_code_know_the_same_aggregators():
    tags = {get_args(spec.model_fields["type"].annotation)[0] for spec in get_args(AggregationSpec)}
    assert tags == set(TAGS) == set(get_args(AggregationName))
    assert {name.split(",")[0] for name in AGGREGATORS} == set(TAGS)
    assert all(tag.startswith(path.partition(":")[0]) for tag, path in TAGS.items())


def test_aggregators_load_neither_torch_nor_pymoo():
    names = sorted({path.partition(":")[0] for path in TAGS.values()})
    modules = ", ".join(f"paretoflow.methods.online.aggregators.{name}" for name in names)
    code = f"import sys, {modules}; assert not {{'torch', 'trl', 'pymoo'}} & set(sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("estimate", [group_normalised, leave_one_out])
def test_there_is_one_finite_advantage_for_each_answer(aggregation, estimate):
    advantages = lived(built(aggregation)).advantages(batch_of(WEIGHTS, estimate=estimate))
    assert advantages.shape == (2, GROUP)
    assert np.isfinite(advantages).all()


@pytest.mark.parametrize("index", EVERYONE)
@pytest.mark.parametrize("estimate", [group_normalised, leave_one_out])
def test_a_one_hot_weight_is_the_single_objective(aggregation, estimate, index):
    one_hot = built(aggregation).advantages(batch_of(np.eye(3)[index], estimate=estimate))
    alone = built(aggregation, columns=(index,)).advantages(
        batch_of([1.0], (index,), estimate=estimate)
    )
    np.testing.assert_allclose(one_hot, alone, atol=1e-12)


def test_permuting_objectives_changes_nothing(aggregation):
    order = (2, 0, 1)
    plain = lived(built(aggregation)).advantages(batch_of(WEIGHTS))
    permuted = lived(built(aggregation, columns=order), order)
    other = permuted.advantages(batch_of(WEIGHTS[list(order)], order))
    np.testing.assert_allclose(plain, other, atol=1e-12)


def test_answers_that_are_all_alike_teach_nothing(aggregation):
    batch = batch_of(WEIGHTS)
    alike = replace(batch, rewards=np.broadcast_to(batch.rewards[:, :1], batch.rewards.shape))
    np.testing.assert_allclose(built(aggregation).advantages(alike), 0.0, atol=1e-9)


def learned_from(aggregation: Any, factors: Any, shifts: Any, standard: str) -> Any:
    """Return the advantages of answers whose raw scores have factors, and shifts of each prompt."""
    gains = base_gains()
    fresh = np.random.default_rng(8).normal(size=(2, GROUP, 3)) * (1.0, 10.0, 0.1)
    moved = np.random.default_rng(9).normal(size=(len(gains), 1, 3)) * shifts
    context = context_of(gains * factors + moved)
    candidates = replace(context.candidates, standard=standard)
    batch = batch_of(WEIGHTS)
    rewards = candidates.in_standard(fresh * factors + moved[batch.prompts], batch.prompts)
    spec = GrpoMethodSpec.model_validate({"type": "grpo", "aggregation": aggregation})
    request: Any = SimpleNamespace(front=None, proposal=SimpleNamespace(weights=None))
    aggregator = build(spec.aggregation, replace(context, candidates=candidates), request)
    return aggregator.advantages(replace(batch, rewards=rewards))


def test_scale_and_shifts_of_prompts_change_nothing(aggregation):
    plain, moved = (
        learned_from(aggregation, factors, shifts, "prompt")
        for factors, shifts in ((1.0, 0.0), ((1.0, 10.0, 0.3), (0.0, 90.0, 5.0)))
    )
    np.testing.assert_allclose(plain, moved, atol=1e-9)


def test_over_all_prompts_it_matters_how_much_they_differ():
    plain, moved = (
        learned_from("linear", 1.0, shifts, "global") for shifts in (0.0, (0.0, 90.0, 0.0))
    )
    assert not np.allclose(plain, moved, atol=0.1)


def test_margins_are_weights_times_spreads_within_groups():
    """In units of one prompt, and over the base's own answers, these are the weights."""
    candidates = replace(context_of(base_gains()).candidates, standard="prompt")
    batch = replace(
        batch_of(WEIGHTS),
        rewards=candidates.standardised,
        prompts=np.arange(3),
        lengths=np.ones((3, 5), dtype=np.int64),
    )
    np.testing.assert_allclose(built("linear").margins(batch), WEIGHTS, rtol=1e-12)
    normalised = built("normalize_then_sum").margins(batch)
    np.testing.assert_allclose(normalised, WEIGHTS, rtol=1e-3)
    for aggregation in ("hv_dynamic", {"type": "hv_dynamic", "combine": "normalize_then_sum"}):
        np.testing.assert_allclose(built(aggregation).margins(batch), WEIGHTS, rtol=1e-3)
    assert built("chebyshev").margins(batch) is None


@pytest.mark.parametrize(
    "tag", ["normalize_then_sum", AGGREGATORS["pama, published"], "pama_scalar"], ids=str
)
def test_one_reward_ten_times_as_large_changes_nothing(tag):
    plain = built(tag).advantages(batch_of(WEIGHTS))
    scaled = built(tag).advantages(batch_of(WEIGHTS, factors=(1.0, 10.0, 1.0)))
    np.testing.assert_allclose(plain, scaled, atol=1e-3)
    linear = [built("linear").advantages(batch_of(WEIGHTS, factors=(1, f, 1))) for f in (1, 10)]
    assert not np.allclose(*linear, atol=0.1)


def test_state_goes_through_json_and_on(aggregation):
    old = lived(built(aggregation))
    new = built(aggregation)
    new.restore(json.loads(json.dumps(old.state())))
    for aggregator in (old, new):
        aggregator.look(2 * GAINS)
        aggregator.learn(GRAM)
    np.testing.assert_array_equal(
        old.advantages(batch_of(WEIGHTS)), new.advantages(batch_of(WEIGHTS))
    )
    assert old.state() == new.state()
    assert dict(old.metrics()) == dict(new.metrics())


def test_only_the_dynamic_ones_have_state(aggregation):
    tag = aggregation if isinstance(aggregation, str) else aggregation["type"]
    assert bool(built(aggregation).state()) == tag.endswith("_dynamic")


def test_group_normalised_by_hand():
    np.testing.assert_allclose(
        group_normalised(np.array([[0.0, 2.0]])), [[-0.7071, 0.7071]], atol=1e-4
    )


def test_leave_one_out_by_hand():
    assert leave_one_out(np.array([[0.0, 3.0, 6.0]])).tolist() == [[-4.5, 0.0, 4.5]]
