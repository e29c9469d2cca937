from __future__ import annotations

from dataclasses import replace

import pytest

from paretoflow.lm.footprint import GPU_BASE, Load, Shape, footprint, kept_per_token

ONE = Shape(
    layers=1,
    hidden=2,
    heads=1,
    kv_heads=1,
    head=2,
    inner=3,
    words=10,
    gated=True,
    parameters=1000,
    trained=100,
    inputs=4 * 2 + 2 * 2 + 3,
)
LOAD = Load(width=4, sequences=2, tokens=5, answer=3, sampled=4)


def test_a_token_keeps_what_is_counted_by_hand() -> None:
    # norms 2·2, attention 4·2, MLP 3·3; inputs of q, k, v (one), gate, up (one) and down
    for gpu in (True, False):
        assert kept_per_token(ONE, 4, gpu=gpu) == 4 * (4 + 8 + 9) + 4 * (2 + 2 + 3)
    # halves, but for the norms in float32; each of the seven adapted layers casts its input
    assert kept_per_token(ONE, 2, gpu=True) == 4 * 4 + 2 * (8 + 9) + 2 * 15
    assert kept_per_token(ONE, 2, gpu=False) == 4 * 4 + 2 * (8 + 9) + 4 * 15


def test_the_whole_estimate_by_hand() -> None:
    found = footprint(ONE, LOAD)
    assert found.weights == found.sharded == 4000
    assert found.adapter == 1600
    # ten tokens; one piece of the logits of two answers of three tokens
    assert found.training == 10 * 112 + 4 * 6 * 10
    # keys and values of 4 x 5 tokens; logits of 4 x 3 rated tokens are less than the noise
    assert found.sampling == 4 * 5 * 2 * 2 * 4 + max(4 * 2 * (4 + 9) * 4, 4 * 10 * 16, 4 * 3 * 40)
    assert found.total == GPU_BASE + 1600 + 4000 + max(found.training, found.sampling)


@pytest.mark.parametrize(("zero", "adapter"), [(0, 16), (1, 8 + 8 / 4), (2, 4 + 12 / 4), (3, 4)])
def test_a_stage_shards_the_adapter_over_four_ranks(zero: int, adapter: float) -> None:
    assert footprint(ONE, replace(LOAD, ranks=4, zero=zero)).adapter == 100 * adapter


def test_stage_three_holds_a_share_of_the_base_and_one_layer() -> None:
    large = replace(ONE, parameters=10**9, layers=10)
    load = replace(LOAD, ranks=4, zero=3)
    found = footprint(large, load)
    assert found.sharded == 1e9 + 4 * 10**8
    assert found.total < found.weights == 4e9
    # with layers of a hundredth, DeepSpeed's live parameters are the largest: a sixteenth
    assert footprint(replace(large, layers=100), load).sharded == 1e9 + 4e9 / 16
    # a table of 10^8 words of two numbers each
    assert footprint(replace(large, words=10**8), load).sharded == 1e9 + 8e8
    assert footprint(large, replace(load, offload=True)).sharded == 4e8
    assert footprint(large, replace(load, whole=True)).sharded == 1e9 + 4e9


def test_what_costs_less_says_less() -> None:
    deep = replace(ONE, layers=10, inputs=150)
    load = replace(LOAD, sequences=100)
    whole = footprint(deep, load)
    assert footprint(deep, replace(load, recomputed=True)).training < whole.training
    assert footprint(deep, replace(load, sequences=50)).training == whole.training / 2
    assert footprint(deep, replace(load, width=2)).total < whole.total
    assert footprint(deep, replace(load, sampled=1)).sampling < whole.sampling
    assert footprint(deep, replace(load, full_logits=True)).training > whole.training
    assert footprint(deep, replace(load, zero=1, offload=True)).adapter == 100 * 8


def test_no_tokens_and_no_adapter_leave_the_base() -> None:
    found = footprint(replace(ONE, trained=0), replace(LOAD, sequences=0, sampled=0))
    assert found.total == GPU_BASE + found.weights
