from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paretoflow.core.protocols import Candidates, Prompt
from paretoflow.core.values import FloatArray
from paretoflow.lm.generation import Answer
from paretoflow.scoring.signals import (
    HeldOutPairs,
    Look,
    flip_bound,
    over_optimised,
    pair_signals,
    topk_signals,
)
from paretoflow.spec.methods.base import EarlyStopSpec

pytestmark = pytest.mark.train
BASE = {"topk_entropy": 2.0, "topk_mass": 0.9}


OLD = EarlyStopSpec(signal="entropy_and_mass", evaluations=2)


def _held_out(ref_logprobs: FloatArray, tokens: list[list[int]]) -> Candidates:
    p, c = ref_logprobs.shape
    return Candidates(
        prompts=tuple(Prompt(str(i), "p") for i in range(p)),
        completions=(("a",) * c,) * p,
        completion_ids=tuple(tuple((5,) * n for n in row) for row in tokens),
        prompt_ids=((1,),) * p,
        gains=np.zeros((p, c, 2)),
        mean=np.zeros(2),
        std=np.ones(2),
        ref_logprobs=ref_logprobs,
    )


def test_topk_signals_average_over_answers() -> None:
    answers = [Answer("a", (1,), -1.0, (1.0, 2.0, 0.5)), Answer("b", (1, 2), -1.0, (3.0, 3.0, 0.9))]
    found = topk_signals(answers)
    assert found == pytest.approx(
        {"topk_entropy": 2.0, "topk_entropy_renormalised": 2.5, "topk_mass": 0.7}
    )


def test_one_pair_by_hand() -> None:
    held_out = _held_out(np.array([[-5.0, -6.0]]), [[10, 4]])
    pairs = HeldOutPairs.of(np.array([[-5.0, -4.0]]), held_out, np.array([[0.0, 0.2]]))
    signals = pair_signals(pairs, beta=0.1)
    assert signals["ranking_accuracy"] == 1.0
    assert signals["ranking_accuracy_per_token"] == 0.0
    assert signals["ideal_ranking_accuracy"] == 1.0
    assert signals["flip_difficulty"] == signals["flip_difficulty_q50"] == 1.0
    assert signals["margin"] == 2.0
    assert signals["chosen_logprob"] == -4.0
    assert pair_signals(pairs, beta=0.3)["ideal_ranking_accuracy"] == 0.0  # 0.2 / 0.3 < 1


def test_ranking_accuracy_by_hand() -> None:
    merits, logprobs = np.array([[3.0, 1.0, 2.0]]), np.array([[-5.0, -9.0, -4.0]])
    held_out = _held_out(np.zeros((1, 3)), [[1, 1, 1]])

    def accuracy(logprobs: FloatArray, merits: FloatArray) -> float:
        signals = pair_signals(HeldOutPairs.of(logprobs, held_out, merits), 0.1)
        return signals["ranking_accuracy"]

    # (0, 1) right, (0, 2) wrong and (2, 1) right
    assert accuracy(logprobs, merits) == pytest.approx(2 / 3)
    assert accuracy(logprobs, -merits) == pytest.approx(1 / 3)
    assert accuracy(np.zeros((1, 3)), merits) == 1.0  # equal log-probabilities count
    assert pair_signals(HeldOutPairs.of(logprobs, held_out, np.ones((1, 3))), 0.1) == {}


def test_the_loss_is_within_the_flip_bound_exactly_where_the_pair_is_ranked_right() -> None:
    rng = np.random.default_rng(0)
    better, worse, ref_better, ref_worse = rng.normal(-20, 4, size=(4, 500))
    beta = 0.1
    loss = np.logaddexp(0.0, -beta * ((better - ref_better) - (worse - ref_worse)))
    within = loss <= flip_bound(beta, ref_worse - ref_better)
    right = better >= worse
    assert 0 < right.sum() < 500
    np.testing.assert_array_equal(within, right)
    assert flip_bound(0.1, np.array([0.0, 10.0])) == pytest.approx([np.log(2), 0.31326], abs=1e-5)


def _looks(*rows: tuple[float, float, float, float], first: int = 20) -> list[Look]:
    return [Look(first + 10 * i, *row) for i, row in enumerate(rows)]


FALLING = _looks((1.9, 0.9, 0.5, -9), (1.5, 0.85, 1, -10), (1.4, 0.8, 2, -11))


def test_over_optimisation_by_hand() -> None:
    spec = OLD
    assert "at step 40" in over_optimised(spec, 100, BASE, FALLING)
    assert not over_optimised(spec, 100, BASE, FALLING[:2])  # the first look has none before it


@pytest.mark.parametrize(
    "change",
    [{"margin": 0.9}, {"entropy": 1.7}, {"mass": 0.91}],
    ids=str,
)
def test_all_that_over_optimisation_takes_is_needed(change: dict[str, float]) -> None:
    looks = [*FALLING[:2], replace(FALLING[2], **change)]
    assert over_optimised(OLD, 100, BASE, looks) == ""


def test_a_chosen_answer_that_becomes_likelier_counts_like_a_margin() -> None:
    looks = [*FALLING[:2], replace(FALLING[2], margin=0.9, chosen_logprob=-9.5)]
    assert over_optimised(OLD, 100, BASE, looks)


def test_nothing_ends_in_the_first_tenth_of_the_steps() -> None:
    early = [replace(look, step=i + 1) for i, look in enumerate(FALLING)]
    assert over_optimised(OLD, 30, BASE, early) == ""
    assert over_optimised(OLD, 15, BASE, early)  # steps 2 and 3 are after 1.5
    with pytest.raises(ValueError, match="after_frac"):
        EarlyStopSpec(after_frac=0.05)


def test_a_look_needs_all_signals() -> None:
    whole = {"topk_entropy": 1.0, "topk_mass": 0.5, "margin": 2.0, "chosen_logprob": -3.0, "kl": 1}
    assert Look.of(4, whole) == Look(4, 1.0, 0.5, 2.0, -3.0)
    del whole["margin"]
    assert Look.of(4, whole) is None


def test_mass_alone_tells_a_collapse_at_the_first_look() -> None:
    base = {"topk_entropy": 2.0, "topk_mass": 0.9}
    look = Look(40, 1.9, 0.5, 1.0, -5.0)
    told = over_optimised(EarlyStopSpec(), 100, base, [look])
    assert "at step 40" in told
    assert "0.5" in told
    assert not over_optimised(EarlyStopSpec(), 100, base, [replace(look, mass=0.55)])
    assert not over_optimised(EarlyStopSpec(), 100, base, [replace(look, margin=-1.0)])
    assert not over_optimised(EarlyStopSpec(), 100, base, [replace(look, step=10)])
    twice = EarlyStopSpec(evaluations=2)
    assert not over_optimised(twice, 100, base, [look])
    assert over_optimised(twice, 100, base, [look, replace(look, step=60, margin=2.0)])
    # entropy has nothing to do with it: a policy of few words is no collapse, nor of many
    assert not over_optimised(EarlyStopSpec(), 100, base, [Look(40, 0.1, 0.95, 1.0, -5.0)])
    assert over_optimised(EarlyStopSpec(), 100, base, [Look(40, 3.0, 0.1, 1.0, -5.0)])


def test_a_base_whose_top_k_hold_everything() -> None:
    base = {"topk_entropy": 2.0, "topk_mass": 1.0}
    assert not over_optimised(EarlyStopSpec(), 9, base, [Look(5, 1.0, 1.0, 1.0, -5.0)])
    assert over_optimised(EarlyStopSpec(), 9, base, [Look(5, 1.0, 0.99, 1.0, -5.0)])
