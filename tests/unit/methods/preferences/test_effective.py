"""Effective weights: within prompts, and as reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from paretoflow.core.candidates import Candidates
from paretoflow.methods.preferences.binary_labels import ThumbTable
from paretoflow.methods.preferences.effective import EFFECTIVE, shares, so_far
from paretoflow.methods.preferences.lists import scored_lists
from paretoflow.methods.preferences.pairs import PairTable
from tests.unit.methods.offline_bench import candidates

HALVES = np.array([0.5, 0.5])
MIXED = np.array([0.5, 0.3, 0.2])


def table(gains, standard="prompt") -> Candidates:
    made = candidates(gains)
    return replace(
        made,
        mean=made.gains.mean(axis=(0, 1)),
        std=made.gains.std(axis=(0, 1)),
        standard=standard,
    )


def answers(seed: int = 0, m: int = 3, prompts: int = 20):
    return np.random.default_rng(seed).normal(size=(prompts, 5, m))


def between(gains, factors):
    """Return gains whose objectives also differ between prompts, each by its factor."""
    rng = np.random.default_rng(1)
    return gains + np.asarray(factors) * rng.normal(size=(len(gains), 1, gains.shape[-1]))


# how each kind of method turns a table and weights into what it learns from
LEARNED: dict[str, Callable[[Candidates, np.ndarray], object]] = {
    "pairs": lambda t, w: PairTable(t, 2).ranked(w).tolist(),
    "lists": lambda t, w: [
        (r.prompt, r.answers, np.round(r.labels, 6).tolist()) for r in scored_lists(t, w, 4)
    ],
    "thumbs": lambda t, w: [(x.prompt, x.answer, x.good) for x in ThumbTable(t, 0.5).labelled(w)],
}


@pytest.mark.parametrize("kind", LEARNED)
def test_scale_and_shifts_of_prompts_change_nothing_that_is_learned(kind):
    gains = answers()
    moved = between(gains * (1, 10, 0.1), (0, 99, 5))
    learned = LEARNED[kind]
    assert learned(table(gains), MIXED) == learned(table(moved), MIXED)
    assert learned(table(gains, "global"), MIXED) != learned(table(moved, "global"), MIXED)
    assert learned(table(gains, "none"), MIXED) != learned(table(moved, "none"), MIXED)


@pytest.mark.parametrize("kind", LEARNED)
@pytest.mark.parametrize("standard", ["prompt", "global", "none"])
def test_permutation_and_one_hot_weights(kind, standard):
    gains, learned, order = between(answers(), (0, 9, 3)), LEARNED[kind], [2, 0, 1]
    plain = learned(table(gains, standard), MIXED)
    assert learned(table(gains[..., order], standard), MIXED[order]) == plain
    one_hot = learned(table(gains, standard), np.array([0.0, 1.0, 0.0]))
    assert one_hot == learned(table(gains[..., [1]], standard), np.ones(1))


def test_equal_weights_that_acted_as_a_quarter_and_three_quarters():
    """Answers differ alike in both objectives, but prompts differ in one of them only."""
    gains = between(answers(m=2, prompts=400), (np.sqrt(8), 0))  # over all answers 3 and 1
    assert gains.std(axis=(0, 1)) == pytest.approx([3, 1], rel=0.1)
    acted = PairTable(table(gains, "global"), 10).effective(HALVES)
    np.testing.assert_allclose(acted, [0.25, 0.75], atol=0.02)
    np.testing.assert_allclose(PairTable(table(gains), 10).effective(HALVES), 0.5, atol=0.02)


def test_shares_by_hand():
    apart = np.array([[2.0, -1.0], [4.0, 1.0]])
    assert shares(apart, HALVES).tolist() == [0.75, 0.25]
    each = np.array([[1.0, 0.0], [0.0, 1.0]])  # weights of each pair: sizes (2, 0) and (0, 1)
    np.testing.assert_allclose(shares(apart, each), [2 / 3, 1 / 3])
    assert shares(np.empty((0, 2)), HALVES) is None
    assert shares(np.zeros((1, 2)), HALVES) is None


def test_a_prompts_own_weights_count_for_its_pairs():
    made = table([[[0.0, 0], [2, 1]], [[0.0, 0], [4, 1]]], "none")
    factors = np.array([[1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(PairTable(made, 1).effective(HALVES, factors), [2 / 3, 1 / 3])


def test_the_shares_of_all_steps_are_told_again_after_a_resume():
    log = [{"margin/a": 1.0, "margin/b": 1.0}, {"loss": 2.0}, {"margin/a": 1.0, "margin/b": 0.0}]
    told = so_far(log, {"margin/a": 1.0, "margin/b": 0.0}, ("a", "b"))
    assert told == {f"{EFFECTIVE}a": 0.75, f"{EFFECTIVE}b": 0.25}
    assert so_far([], {"margin/a": 0.0, "margin/b": 0.0}, ("a", "b")) == {}


def test_every_prompt_has_good_and_bad_answers():
    """With one threshold for all, prompts that score high have none that is bad."""
    gains = between(answers(m=2), (3, 3))

    def onesided(standard: str) -> float:
        told = ThumbTable(table(gains, standard), 0.5).labelled(HALVES)
        kinds = [{t.good for t in told if t.prompt == p} for p in range(len(gains))]
        return float(np.mean([len(kind) == 1 for kind in kinds]))

    assert onesided("global") > 0.5
    assert onesided("prompt") == 0
    assert onesided("none") == 0


def test_a_prompt_whose_answers_score_the_same_has_no_thumbs():
    made = table([[[1.0], [1.0]], [[3.0], [4.0]]])
    thumbs = ThumbTable(made, 0.5).labelled(np.ones(1))
    assert [(t.prompt, t.answer, t.good) for t in thumbs] == [(1, 0, False), (1, 1, True)]
    assert ThumbTable(made, 0.5).effective(np.ones(1)).tolist() == [1.0]
