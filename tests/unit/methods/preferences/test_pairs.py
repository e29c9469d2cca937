"""Preference pairs: selection, ties, order of draws; and MODPO's fold, by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from paretoflow.methods.preferences.pairs import PairStream, PairTable
from tests.faults import raises
from tests.unit.methods.offline_bench import candidates


def test_the_widest_pairs_come_first_and_point_to_the_better_answer():
    table = PairTable(candidates([[[0.0, 0], [3, 0], [1, 0]]]), pairs_per_prompt=2)
    assert table.ranked(np.array([1.0, 0.0])).tolist() == [[0, 1, 0], [0, 1, 2]]


def test_weights_decide_which_answer_is_better():
    table = PairTable(candidates([[[1.0, 0], [0, 1]]]), pairs_per_prompt=2)
    assert table.ranked(np.array([0.9, 0.1])).tolist() == [[0, 0, 1]]
    assert table.ranked(np.array([0.1, 0.9])).tolist() == [[0, 1, 0]]


def test_ties_and_equal_answers_give_no_pair():
    tie = [[1.0, 0], [0, 1]]
    table = PairTable(candidates([tie]), pairs_per_prompt=2)
    assert len(table.ranked(np.array([0.5, 0.5]))) == 0
    equal = candidates([[[1.0, 0], [0, 0]]], ids=(((7, 2), (7, 2)),))
    assert len(PairTable(equal, 2).ranked(np.array([1.0, 0.0]))) == 0
    # 0.1 * 3 is not 0.3 in floating point: still a tie
    nearly = candidates([[[3.0, 0], [0, 1]]])
    assert len(PairTable(nearly, 2).ranked(np.array([0.1, 0.1 * 3]))) == 0


def test_equal_margins_keep_the_order_of_the_answers():
    table = PairTable(candidates([[[0.0], [1], [1], [1]]]), pairs_per_prompt=2)
    assert table.ranked(np.ones(1)).tolist() == [[0, 1, 0], [0, 2, 0]]


def test_spread_is_the_deviation_of_differences_over_pairs_of_distinct_answers():
    # differences of objective 0 over three pairs: -3, -1, 2; objective 1 never differs
    table = PairTable(candidates([[[0.0, 4], [3, 4], [1, 4]]]), pairs_per_prompt=1)
    np.testing.assert_allclose(table.spread, [np.sqrt(14 / 3), 1e-8])


def test_draws_run_through_all_pairs_before_any_comes_again():
    rng = np.random.default_rng(3)
    stream = PairStream(PairTable(candidates(rng.normal(size=(5, 4, 2))), 2), seed=1)
    weights = np.array([0.4, 0.6])
    pairs = [(p.prompt, p.chosen, p.rejected) for p in stream.draw(range(20), weights)]
    assert len(set(pairs[:10])) == len(set(pairs[10:])) == 10
    assert set(pairs[:10]) == set(pairs[10:])
    assert pairs[:10] != pairs[10:]


def test_a_draw_depends_on_number_weights_and_seed_alone():
    rng = np.random.default_rng(3)
    table = PairTable(candidates(rng.normal(size=(5, 4, 2))), 2)
    weights = np.array([0.4, 0.6])

    def keys(stream: PairStream, numbers: Sequence[int]) -> list[tuple[int, int, int]]:
        return [(p.prompt, p.chosen, p.rejected) for p in stream.draw(numbers, weights)]

    one = PairStream(table, seed=1)
    one.draw([0, 33], np.array([1.0, 0.0]))
    assert keys(one, [25, 4, 11]) == keys(PairStream(table, seed=1), [25, 4, 11])
    assert keys(one, range(10)) != keys(PairStream(table, seed=2), range(10))


def test_weights_that_tell_nothing_apart_are_an_error():
    stream = PairStream(PairTable(candidates([[[1.0, 0], [1, 2]]]), 2), seed=0)
    with raises("training-nothing-to-learn", "apart"):
        stream.draw([0], np.array([1.0, 0.0]))


def test_an_example_carries_ids_and_reference_of_its_answers():
    table = PairTable(candidates([[[0.0], [1]], [[5.0], [2]]]), 1)
    (row,) = [r for r in table.ranked(np.ones(1)) if r[0] == 1]
    pair = table.pair(row, np.ones(1))
    assert pair.difference.tolist() == [3.0]
    assert table.example(pair) == {
        "prompt_ids": [5, 1],
        "chosen_ids": [10, 2],
        "rejected_ids": [11, 2],
        "ref_chosen_logps": -2.0,
        "ref_rejected_logps": -3.0,
    }


@pytest.mark.train
def test_modpo_by_hand():
    """The two pairs of `ModpoMethod`'s docstring."""
    from paretoflow.methods.offline.modpo import modpo_batch
    from paretoflow.spec.methods import ModpoMethodSpec

    # both prompts: answer 0 wins on objective 0; d_1 is 1 and -3, whose spread is sqrt(5)
    gains = np.array([[[1.0, 1], [0, 0]], [[1.0, 0], [0, 3]]])
    gains[..., 1] *= np.sqrt(5)
    table = candidates(gains.tolist())
    stream = PairStream(PairTable(table, 1), seed=0)
    np.testing.assert_allclose(stream.table.spread, [1, 5], rtol=1e-12)
    spec = ModpoMethodSpec(type="modpo", beta=0.1)
    # the spread of objective 1 is five times the hand case's unit: weigh it by 0.2 * sqrt(5)
    batch = modpo_batch(stream, range(2), np.array([0.8, 0.2 * np.sqrt(5)]), spec)
    assert batch.beta == pytest.approx(0.125)
    ratios = {0: 4.0, 1: -2.0}  # D of each prompt's pair
    losses = {}
    for example in batch.examples:
        prompt = example["prompt_ids"][1]
        better = table.ref_logprobs[prompt, 0] + ratios[prompt]
        worse = table.ref_logprobs[prompt, 1]
        logit = batch.beta * (
            (better - example["ref_chosen_logps"]) - (worse - example["ref_rejected_logps"])
        )
        losses[prompt] = np.log1p(np.exp(-logit))
    assert losses == {0: pytest.approx(0.575939, abs=1e-6), 1: pytest.approx(0.474077, abs=1e-6)}


@pytest.mark.train
def test_modpo_holds_the_divisor_above_its_floor():
    from paretoflow.methods.offline.modpo import modpo_batch
    from paretoflow.spec.methods import ModpoMethodSpec

    stream = PairStream(PairTable(candidates([[[1.0, 1], [0, 0]]]), 1), seed=0)
    spec = ModpoMethodSpec(type="modpo", beta=0.1, min_weight=0.8)
    assert modpo_batch(stream, [0], np.array([0.5, 0.5]), spec).beta == pytest.approx(0.125)
