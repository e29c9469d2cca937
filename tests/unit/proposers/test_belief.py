from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paretoflow.core.values import FloatArray
from paretoflow.proposers.asked import Asked
from paretoflow.proposers.belief import (
    SMALLEST,
    Belief,
    belief_of,
    best_promise,
    expected_gains,
    known_runs,
)
from paretoflow.proposers.boxes import landscape
from paretoflow.proposers.gain import OpenRegion
from paretoflow.proposers.gaussian import GainModel
from tests.histories import history_of, problem_of, weighted

EVEN = np.array([[0.5, 0.5]])
SEEN = [0.0, 0.15, 0.3, 0.7, 0.85, 1.0]


def convex(w: float) -> list[float]:
    """Where weights (w, 1 - w) end on a quarter circle bulging towards the ideal."""
    return (np.array([w, 1 - w]) / np.hypot(w, 1 - w)).tolist()


def believed(weights: list[float], gains: list[list[float]], stderr: float, pending=()) -> Belief:
    done = [weighted([w, 1 - w]) for w in weights]
    history = history_of(problem_of(2), done, list(enumerate(gains)), stderr=stderr)
    land = landscape(history, Asked([*done, *pending]), pending)
    return belief_of(known_runs(history), land, pending)


@pytest.mark.parametrize(
    ("outcome", "likely", "sure"), [(0.75, 0.5625, 0.5625), (0.5, 0.125, 0.0), (0.4, 0.0, 0.0)]
)
def test_what_equal_weights_are_expected_to_add_by_hand(outcome, likely, sure):
    doubt = np.full((2, 2), (0.1 - SMALLEST) * 2**0.5)
    model = GainModel(())
    belief = Belief(model, np.eye(2), doubt, OpenRegion.beyond(np.eye(2), np.zeros(2)))
    found = expected_gains(EVEN, np.full((1, 2), outcome), np.zeros((1, 2)), belief)
    assert (float(found[0][0]), float(found[1][0])) == pytest.approx((likely, sure), abs=1e-9)


def test_a_lucky_score_does_not_block_its_neighbours():
    lucky = (np.array(convex(0.5)) + 0.1).tolist()
    gains = [*(convex(w) for w in SEEN), lucky]
    where = np.linspace(0.35, 0.65, 21)
    candidates: FloatArray = np.stack([where, 1 - where], axis=1)
    promises = [
        best_promise(believed([*SEEN, 0.5], gains, stderr), candidates) for stderr in (0.0, 0.1)
    ]
    exact, noisy = (0.0 if p is None else p.likely for p in promises)
    assert noisy > 2 * exact
    front = believed([*SEEN, 0.5], gains, 0.1).region.front
    assert front.sum(axis=1).max() < sum(lucky) - 0.1


def test_the_last_evaluation_of_a_weighted_run_is_learnt_and_no_other_kind():
    done = [weighted([1, 0]), weighted([0, 1])]
    rows = [(-1, [0.2, 0.2]), (0, [0.5, 0.1]), (1, [0.1, 0.6]), (0, [0.9, 0.0])]
    known = known_runs(history_of(problem_of(2), done, rows))
    assert known.rows.tolist() == [3, 2]
    assert known.weights.tolist() == [[1, 0], [0, 1]]
    assert known.model.attained() == pytest.approx(np.array([[0.9, 0.0], [0.1, 0.6]]))


def test_a_run_that_continued_a_parent_says_nothing_of_its_weights():
    done = [weighted([1, 0]), weighted([0, 1]), replace(weighted([1, 1]), parent="r0000-a0-s0000")]
    rows = [(0, [0.9, 0.1]), (1, [0.1, 0.9]), (2, [0.6, 0.6])]
    history = history_of(problem_of(2), done, rows)
    known = known_runs(history)
    assert known.rows.tolist() == [0, 1]
    assert belief_of(known, landscape(history, Asked(done), ()), done[2:]).model is known.model


def test_a_pending_launch_takes_its_place_only_where_it_is_expected_to_rise():
    pending = [weighted([0.5, 0.5])]
    bulging = [convex(w) for w in SEEN]
    before, after = believed(SEEN, bulging, 0.01), believed(SEEN, bulging, 0.01, pending)
    assert len(after.region.front) == len(before.region.front) + 1
    assert after.model.predicted(EVEN)[1].max() < before.model.predicted(EVEN)[1].max()
    # equal weights come back with an end: nothing new is between the ends
    ends = [[1.0, 0.0] if w > 0.4 else [0.0, 1.0] for w in SEEN]
    alone, more = believed(SEEN, ends, 0.01), believed(SEEN, ends, 0.01, pending)
    assert more.region.front == pytest.approx(alone.region.front)
