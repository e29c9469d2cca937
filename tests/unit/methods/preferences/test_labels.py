"""Labelled pairs: the objective of a draw, the weight of a pair, and their combination."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from paretoflow.core.candidates import Candidates, Given
from paretoflow.methods.preferences.draws import turns
from paretoflow.methods.preferences.pairs import PairStream, PairTable
from tests.unit.methods.offline_bench import candidates


def labelled(
    labels: Sequence[Sequence[int]], names: Sequence[str] = ("a", "b"), own: int = 0, share=1.0
) -> Candidates:
    """Return a row of two answers for each row of labels, and `own` rows of the base's behind."""
    rows, m = len(labels), len(labels[0])
    gains = np.zeros((rows + own, 2, m))
    gains[rows:, 0] = 1.0
    given = Given(rows, share, tuple(names), np.array(labels, dtype=np.int64))
    return replace(candidates(gains), given=given, standard="none")


def drawn(table: PairTable, weights: Sequence[float], count: int, seed: int = 0):
    return PairStream(table, seed).draw(range(count), np.array(weights))


def test_turns_by_hand():
    owner, place = turns([3.0, 1.0], 4)
    assert owner.tolist() == [0, 0, 1, 0]
    assert place.tolist() == [0, 1, 0, 2]


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.9, 0.1), (0.2, 0.3, 0.5), (1e-3, 1.0)])
def test_every_stretch_of_first_draws_has_its_shares(shares):
    owner, place = turns(shares, 300)
    whole = np.array(shares) / sum(shares)
    for n in (1, 7, 64, 300):
        counts = np.bincount(owner[:n], minlength=len(shares))
        assert np.abs(counts - n * whole).max() < 2
    for k in range(len(shares)):
        own = place[owner == k]
        assert own.tolist() == list(range(len(own)))
    longer = turns(shares, 1000)
    assert (longer[0][:300] == owner).all()


def test_weights_are_shares_of_the_draws_and_a_label_says_which_is_better():
    # rows 0 and 1 speak for a, rows 2 to 5 for b
    table = PairTable(labelled([[1, 0], [-1, 0], *([[0, 1]] * 4)]), 1)
    pairs = drawn(table, [0.25, 0.75], 16)
    assert Counter(p.prompt < 2 for p in pairs) == {True: 4, False: 12}
    assert Counter(p.prompt for p in pairs) == {0: 2, 1: 2, 2: 3, 3: 3, 4: 3, 5: 3}
    assert {(p.prompt, p.chosen) for p in pairs if p.prompt < 2} == {(0, 0), (1, 1)}
    np.testing.assert_allclose(table.effective(np.array([0.25, 0.75])), [0.25, 0.75])


def test_one_hot_weights_draw_that_objectives_pairs_alone():
    table = PairTable(labelled([[1, 0], [-1, 1], [0, -1]]), 1)
    assert {p.prompt for p in drawn(table, [1.0, 0.0], 9)} == {0, 1}
    assert {(p.prompt, p.chosen) for p in drawn(table, [0.0, 1.0], 9)} == {(1, 0), (2, 1)}


def test_a_pair_with_opposite_labels_is_drawn_for_either_as_the_weights_say():
    table = PairTable(labelled([[1, -1]]), 1)
    chosen = Counter(p.chosen for p in drawn(table, [0.75, 0.25], 40))
    assert chosen == {0: 30, 1: 10}


def test_the_order_of_the_objectives_changes_no_draw():
    labels = np.random.default_rng(0).integers(-1, 2, size=(20, 3))
    labels[labels.any(axis=1) == 0, 0] = 1
    order = [2, 0, 1]
    names = ("a", "b", "c")
    one = PairTable(labelled(labels.tolist(), names), 1)
    other = PairTable(labelled(labels[:, order].tolist(), [names[i] for i in order]), 1)
    for weights in ([0.2, 0.3, 0.5], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0.0]):
        told = [(p.prompt, p.chosen) for p in drawn(one, weights, 60, seed=4)]
        turned = [weights[i] for i in order]
        assert told == [(p.prompt, p.chosen) for p in drawn(other, turned, 60, seed=4)]


def test_factors_by_hand():
    apart = PairTable(labelled([[1, 0]] * 10 + [[0, 1]] * 30), 1, even=True)
    pairs = drawn(apart, [0.9, 0.1], 8)
    assert Counter(p.prompt < 10 for p in pairs) == {True: 4, False: 4}
    for pair in pairs:
        np.testing.assert_allclose(pair.factors, [2, 0] if pair.prompt < 10 else [0, 2])
    both = PairTable(labelled([[1, -1]] * 30), 1, even=True)
    for pair in drawn(both, [0.9, 0.1], 4):
        np.testing.assert_allclose(pair.factors, [1, 1])
        assert pair.difference.tolist() == ([1, -1] if pair.chosen == 0 else [-1, 1])


def test_factors_make_the_mean_over_draws_each_objectives_own_mean():
    """Over all draws of whole rounds, for labels that overlap in part."""
    labels = [[1, 0], [1, 1], [-1, 1], [0, -1], [0, 1], [0, 1]]
    table = PairTable(labelled(labels), 1, even=True)
    values = np.array([0.3, -1.0, 2.0, 0.7, 1.1, -0.4])
    pairs = drawn(table, [0.4, 0.6], 60)
    found = np.mean([pair.factors * values[pair.prompt] for pair in pairs], axis=0)
    expected = [values[[0, 1, 2]].mean(), values[[1, 2, 3, 4, 5]].mean()]
    np.testing.assert_allclose(found, expected)


def test_the_bases_own_answers_have_their_share():
    table = PairTable(labelled([[1, 0], [0, 1]], own=4, share=0.75), 1)
    pairs = drawn(table, [0.5, 0.5], 40)
    assert Counter(p.prompt >= 2 for p in pairs) == {True: 10, False: 30}
    assert {p.chosen for p in pairs if p.prompt >= 2} == {0}


def test_labels_follow_the_objectives_that_a_method_sees():
    from paretoflow.methods.objective_subset import _narrowed_labels

    given = labelled([[1, 0, -1]], names=("a", "cost", "b")).given
    kept = _narrowed_labels(given, [0, 2])
    assert (kept.names, kept.labels.tolist()) == (("a", "b"), [[1, -1]])


def test_ratings_of_too_few_answers_repeat_the_first_and_count_once():
    table = candidates([[[0.0], [3], [0]], [[0.0], [1], [5]]])
    ids = (((1,), (2,), (1,)), ((1,), (2,), (3,)))
    rated = replace(table, completion_ids=ids, counts=np.array([2, 3]), standard="prompt")
    # rows (0, 3) and (0, 1, 5): means 1.5 and 2, squares 4.5 and 14 over 1 + 2
    np.testing.assert_allclose(rated.unit, [np.sqrt(18.5 / 3)])
    ranked = PairTable(rated, 3).ranked(np.ones(1)).tolist()
    assert ranked == [[0, 1, 0], [1, 2, 0], [1, 2, 1], [1, 1, 0]]


def test_both_scales_are_standardised_apart():
    gains = np.array([[[0.0], [1.0]], [[0.0], [100.0]], [[0.0], [300.0]]])
    given = Given(1, 0.5, ("a",))
    mixed = replace(candidates(gains), given=given, standard="prompt")
    found = mixed.standardised[:, 1, 0] - mixed.standardised[:, 0, 0]
    # alone: unit sqrt(0.5); the others: sqrt((5000 + 45000) / 2)
    np.testing.assert_allclose(
        found, [1 / np.sqrt(0.5), 100 / np.sqrt(25000), 300 / np.sqrt(25000)]
    )
