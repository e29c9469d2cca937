"""True worth of a front: by hand, on known truth, and invariances."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from paretoflow.front.dominance import nondominated
from paretoflow.front.worth import FRESH, RULE, RULES, worth, worth_less
from tests.faults import raises

NOW = RULES[RULE]


def noisy(copies: int, seed: int, n: int = 40) -> np.ndarray:
    """Return clouds of three points on a circle, each with new answers for `copies` copies."""
    rng = np.random.default_rng(seed)
    angles = np.repeat([0.3, 0.8, 1.3], copies)
    means = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return means[:, :, None] + 0.4 * rng.normal(size=(len(angles), 2, n))


def judged(clouds: np.ndarray, **options):
    return worth(clouds, np.flatnonzero(nondominated(clouds.mean(axis=2))), [0, 0], **options)


def test_one_evaluation_was_not_selected_and_has_the_interval_of_a_t_test() -> None:
    scores = np.random.default_rng(0).normal(5.0, 1.0, size=60)
    found = worth(scores[None, None, :], [0], [0.0], draws=4000)
    assert found.corrected == pytest.approx(scores.mean(), abs=0.02)
    half = student.ppf(0.975, 59) * scores.std(ddof=1) / np.sqrt(60)
    low, high = found.interval
    assert (high - low) / 2 == pytest.approx(half, rel=0.05)


def test_two_that_take_turns_by_hand() -> None:
    clouds = np.array([[[0.0, 2.0]], [[2.0, 0.0]]])
    found = worth(clouds, [0], [0.0], draws=20_000)
    assert found.reported == 1.0
    assert found.optimism == pytest.approx(NOW.correction * 0.5, rel=0.03)
    # 1 or 0 in equal parts, a variance of 1/4, times n / (n - 1); t with one degree of freedom
    half = student.ppf(0.975, 1) * (0.25 * 2 + NOW.unsure * found.optimism**2) ** 0.5
    assert found.interval == pytest.approx((0, found.corrected + half), rel=0.03)


def test_prompts_that_agree_leave_no_doubt() -> None:
    clouds = np.repeat(np.array([[2.0, 1.0], [1.0, 2.0], [0.5, 0.5]])[:, :, None], 9, axis=2)
    found = worth(clouds, [0, 1], [0, 0])
    assert (found.corrected, *found.interval) == pytest.approx((3, 3, 3))
    assert (found.doubts.tolist(), found.rivals.tolist()) == ([0, 0], [-1, -1])


def test_more_looks_at_the_same_policies_report_more_and_are_corrected() -> None:
    pairs = [(judged(noisy(1, s)), judged(noisy(4, 1000 + s))) for s in range(40)]
    reported = np.mean([two.reported - one.reported for one, two in pairs])
    corrected = np.mean([two.corrected - one.corrected for one, two in pairs])
    assert reported > 0.05
    assert abs(corrected) < 0.3 * reported


def test_scores_that_chose_nothing_owe_nothing_to_a_selection() -> None:
    clouds = noisy(3, 4)
    everything = np.arange(len(clouds))
    fresh = worth(clouds, everything, [0, 0], rule=FRESH)
    assert 0 < fresh.optimism < worth(clouds, everything, [0, 0]).optimism


def test_exact_copies_were_no_further_looks() -> None:
    clouds = noisy(1, 3)
    front = np.flatnonzero(nondominated(clouds.mean(axis=2)))
    once, twice = judged(clouds), worth(np.concatenate([clouds] * 3), front, [0, 0])
    assert twice.optimism == pytest.approx(once.optimism)
    assert twice.interval == pytest.approx(once.interval)


def test_evaluations_far_behind_change_nothing_and_order_neither() -> None:
    clouds = noisy(2, 5)
    front = np.flatnonzero(nondominated(clouds.mean(axis=2)))
    far = np.concatenate([clouds, noisy(2, 6) - 5.0])
    assert worth(far, front, [0, 0]).interval == pytest.approx(judged(clouds).interval)
    turned = worth(clouds[::-1], len(clouds) - 1 - front, [0, 0])
    assert turned.interval == pytest.approx(judged(clouds).interval)
    flipped = worth(clouds[:, ::-1], front, [0, 0])
    assert flipped.interval == pytest.approx(judged(clouds).interval)


def test_it_covers_the_truth_where_the_front_is_selected_among_many() -> None:
    """Twenty looks at one policy: the best of them is reported, and the truth is 1."""
    held = reported = 0
    for seed in range(200):
        clouds = 1 + 0.5 * np.random.default_rng(seed).normal(size=(20, 1, 30))
        found = worth(clouds, [int(clouds.mean(axis=2).argmax())], [0.0], draws=200)
        held += found.interval[0] <= 1 <= found.interval[1]
        reported += found.reported > 1
    assert held >= 180
    assert reported == 200


def test_doubt_names_the_rival_and_knows_who_is_safe() -> None:
    rng = np.random.default_rng(8)
    means = np.array([[0.2, 2.0], [1.0, 1.0], [1.001, 0.999]])
    clouds = means[:, :, None] + 0.3 * rng.normal(size=(3, 2, 40))
    clouds += (means - clouds.mean(axis=2))[:, :, None]
    found = worth(clouds, [0, 1, 2], [0, 0])
    assert found.doubts[0] == 0
    assert found.rivals.tolist() == [-1, 2, 1]
    assert found.doubts[1:] == pytest.approx([0.25, 0.25], abs=0.1)


def test_a_constant_difference_is_certain_when_paired() -> None:
    first = 2 + np.random.default_rng(0).normal(size=(1, 1, 50))
    one, two = worth(first, [0], [0.0]), worth(first + 1, [0], [0.0])
    assert worth_less(one, two, paired=True) == pytest.approx((1, 1), abs=0.2)
    low, high = worth_less(one, two, paired=False)
    assert low < 0.7 < 1.3 < high
    back = worth_less(two, one, paired=False)
    assert back == pytest.approx((-high, -low))


def test_a_front_against_itself_is_no_more_whatever_it_owes_to_luck() -> None:
    found = judged(noisy(4, 9))
    assert worth_less(found, found, paired=True, shared=1.0) == (0, 0)
    low, high = worth_less(found, found, paired=True)
    assert low < 0 < high


@pytest.mark.parametrize("m", [5, 8])
def test_many_objectives_are_corrected_as_well(m: int) -> None:
    rng = np.random.default_rng(m)
    means = rng.dirichlet(np.ones(m), size=15) ** 0.5
    clouds = means[:, :, None] + 0.2 * rng.normal(size=(15, m, 24))
    front = np.flatnonzero(nondominated(clouds.mean(axis=2)))
    found = worth(clouds, front, np.full(m, -0.1), draws=100)
    low, high = found.interval
    assert low < found.corrected < found.reported
    assert low < found.corrected < high


def test_misfits_and_what_is_not_finite_are_refused() -> None:
    clouds = np.ones((3, 2, 5))
    with raises("shape", "(2, 5)"):
        worth(clouds[0], [0], [0, 0])
    with raises("shape", "(3, 2, 1)"):
        worth(clouds[:, :, :1], [0], [0, 0])
    with raises("shape", "reference"):
        worth(clouds, [0], [0])
    clouds[1, 0, 2] = np.nan
    with raises("non-finite", "[1]"):
        worth(clouds, [0], [0, 0])
    assert worth(np.ones((1, 2, 5)), [], [0, 0]).interval == (0, 0)
