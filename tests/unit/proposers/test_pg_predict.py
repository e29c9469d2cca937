from __future__ import annotations

import numpy as np
import pytest

from paretoflow.core.values import LaunchKind, Proposal, WeightVector
from paretoflow.proposers import build
from paretoflow.proposers.pg_predict import PgPredictProposer, next_weights, options_of
from paretoflow.spec.proposers import LatticeProposerSpec, PgPredictProposerSpec
from tests.histories import history_of, problem_of, swept, weighted
from tests.unit.proposers.climbing import Climb

DONE = [weighted([1, 0]), weighted([0, 1]), weighted([1, 1])]
ROWS = [(0, [0.8, 0.1]), (1, [0.1, 0.8]), (2, [0.5, 0.5])]
SPEC = PgPredictProposerSpec(type="pg_predict", min_deltas=5)


def continued(parent: str, values) -> Proposal:
    return Proposal(
        LaunchKind.WEIGHTED, WeightVector.of(values), 0, "Because.", "pg_predict", parent=parent
    )


def propose(done=DONE, rows=ROWS, pending=(), count=1, *, stderr=0.0):
    proposer = PgPredictProposer(SPEC, m=2, runs=40)
    return proposer.propose(history_of(problem_of(2), done, rows, stderr=stderr), pending, count, 0)


def rotating(moved: float = 0.2):
    """Five continuations of the policy at (.5, .5): each moves by its weight, less its half."""
    done, rows = list(DONE), list(ROWS)
    for i, w in enumerate([0.15, 0.3, 0.5, 0.7, 0.85]):
        done.append(continued("r0002-a0-s0002", [w, 1 - w]))
        rows.append((3 + i, [0.5 + moved * (w - 0.45), 0.5 + moved * (0.55 - w)]))
    return done, rows


def test_first_every_policy_is_continued_with_its_own_weights():
    chosen = propose(count=3)
    assert [p.kind for p in chosen] == [LaunchKind.WEIGHTED] * 3
    assert {p.parent for p in chosen} == {f"r{i:04d}-a0-s{i:04d}" for i in range(3)}
    own = {f"r{i:04d}-a0-s{i:04d}": p.weights for i, p in enumerate(DONE)}
    assert all(p.weights == own[p.parent] for p in chosen)
    assert all(p.thresholds is None and p.tag == "untried" for p in chosen)


def test_then_with_those_farthest_from_what_was_tried_there():
    first = propose(count=3)
    (fourth,) = propose(pending=first, count=1)
    assert fourth.parent == first[0].parent == "r0000-a0-s0000"
    # within 45 degrees of (1, 0), (.5, .5) is farthest from it
    assert fourth.weights.array == pytest.approx([0.5, 0.5])


def test_options_are_the_lattices_within_45_degrees():
    corner = options_of(WeightVector.of([1, 0]))
    assert min(w.values[0] for w in corner) == pytest.approx(0.5)
    assert len(corner) == 17
    assert len(options_of(WeightVector.of([1, 1]))) == 33
    assert WeightVector.of([0.123, 0.877]) in options_of(WeightVector.of([0.123, 0.877]))


def test_the_next_weights_by_hand():
    own = WeightVector.of([1, 1])
    options = [WeightVector.of([w, 1 - w]) for w in (0.0, 0.25, 0.5, 0.6)]
    assert next_weights(own, options, []) == options[2]
    assert next_weights(own, options, [(0.5, 0.5)]) == options[0]
    assert next_weights(own, options, [w.values for w in options]) == options[0]


def test_with_enough_changes_the_largest_predicted_gain_is_launched():
    done, rows = rotating()
    (launch,) = propose(done, rows)
    assert launch.tag == "predicted"
    assert launch.kind is LaunchKind.WEIGHTED
    assert "should add" in launch.reason
    history = history_of(problem_of(2), done, rows)
    assert launch.parent in {history.snapshot_ids[i] for i in history.front}


def test_a_pending_continuation_is_believed_and_another_one_chosen():
    done, rows = rotating()
    first, second, third = propose(done, rows, count=3)
    assert len({(p.parent, p.weights) for p in (first, second, third)}) == 3
    alone = float(first.reason.split("add ")[1].split("%")[0])
    beside = float(second.reason.split("add ")[1].split("%")[0])
    assert beside <= alone


def test_a_gain_within_the_noise_is_no_reason():
    done, rows = rotating()
    (launch,) = propose(done, rows, stderr=0.3)
    assert launch.tag == "untried"


def test_what_was_asked_for_in_vain_is_not_asked_for_again():
    done, rows = rotating()
    for _ in range(5):
        (launch,) = propose(done, rows)
        assert (launch.parent, launch.weights) not in [(p.parent, p.weights) for p in done]
        done.append(launch)


def test_without_a_policy_weights_are_spread():
    failed = history_of(problem_of(2), DONE, [], failed=range(3))
    (launch,) = PgPredictProposer(SPEC, m=2, runs=40).propose(failed, (), 1, 0)
    assert launch.tag == "spread"
    assert launch.parent is None


def test_the_base_is_continued_by_nobody():
    rows = [(-1, [0.9, 0.9]), *ROWS]
    assert {p.parent for p in propose(rows=rows, count=6)} <= {
        f"r{i:04d}-a0-s{i + 1:04d}" for i in range(3)
    }


def test_short_continuations_pass_along_a_concave_front_where_weights_alone_stop():
    reached = {}
    for spec in (SPEC, LatticeProposerSpec(type="lattice")):
        proposer = build(spec, m=2, runs=20)
        reached[spec.type] = swept(proposer, Climb(2, 10, 0.02), 20, seed=1)[0]
    assert reached["lattice"] < 0.5
    assert reached["pg_predict"] > 0.75


def test_decisions_on_ten_thousand_evaluations_are_quick_enough_for_six_objectives():
    rng = np.random.default_rng(0)
    gains = rng.dirichlet(np.ones(6), 2_000) ** 0.6
    done = [weighted(w) for w in rng.dirichlet(np.ones(6), 500)]
    rows = [(i % 500, row) for i, row in enumerate(gains.tolist())]
    history = history_of(problem_of(6), done, rows, stderr=0.01)
    proposer = PgPredictProposer(SPEC, m=6, runs=900)
    assert len(proposer.propose(history, (), 1, 0)) == 1
