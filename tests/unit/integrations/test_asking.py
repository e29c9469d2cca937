from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from paretoflow.core.status import RunStatus
from paretoflow.core.values import LaunchKind, Proposal, WeightVector
from paretoflow.integrations.asking import (
    EndedTrial,
    TrialProposer,
    finite_scores,
    launch_config,
    objective,
)
from paretoflow.spec.proposers import LatticeProposerSpec
from tests.faults import raises
from tests.histories import weighted
from tests.integration.examples.concave import OBJECTIVES

CONSTRAINED = Proposal(
    LaunchKind.CONSTRAINED,
    WeightVector.of([0.5, 0.5]),
    7,
    "Because.",
    "by hand",
    parent="t1",
    target=0,
    thresholds=(-np.inf, -4.0),
)


def test_a_reference_lies_a_tenth_beyond_the_worse_end():
    assert objective("kind", 0, 1).ref == pytest.approx(-0.1)
    assert objective("seconds", 0, 10, direction="minimize").ref == 11
    assert objective("kind", 0, 1, ref=0.2).ref == 0.2


@pytest.mark.parametrize(
    ("make", "code", "values"),
    [
        (lambda: objective("kind", 1, 1), "spec-not-allowed", ["1 to 1", "'kind'"]),
        (
            lambda: objective("kind", 0, 1, direction="up"),
            "spec-not-allowed",
            ["'up'", "maximize, minimize"],
        ),
        (
            lambda: TrialProposer(OBJECTIVES, proposer="gaussian"),
            "spec-unknown-type",
            ["'gaussian'", "auto, cmorl"],
        ),
        (
            lambda: TrialProposer(OBJECTIVES, proposer="empty_box", launches=("weighted",)),
            "spec-contradiction",
            ["`empty_box`", "constrained", "weighted"],
        ),
        (
            lambda: TrialProposer(OBJECTIVES, proposer="pg_predict", launches=("weighted",)),
            "spec-contradiction",
            ["`pg_predict`", "continued"],
        ),
        (
            lambda: TrialProposer(OBJECTIVES, proposer="soups"),
            "spec-contradiction",
            ["`soups`", "merge"],
        ),
        (
            lambda: TrialProposer([objective(str(i), 0, 1) for i in range(5)], proposer="ols"),
            "spec-contradiction",
            ["ols", "5", "4"],
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(make, code, values):
    with raises(code, *values):
        make()


def test_weights_alone_are_asked_of_trials_that_do_no_more():
    asking = TrialProposer(OBJECTIVES, launches=("weighted",))
    ended = [EndedTrial(str(i), weighted(w), (0.5, 5.0)) for i, w in enumerate(np.eye(2))]
    kinds = {asking.next_launch(ended, [weighted([0.5, 0.5])] * i).kind for i in range(3)}
    assert kinds == {LaunchKind.WEIGHTED}
    lattice = TrialProposer(OBJECTIVES, proposer=LatticeProposerSpec(type="lattice", divisions=2))
    assert lattice.next_launch([], []).proposer == "lattice"


def test_a_launch_in_plain_values():
    """Gains of -4 in seconds, which are minimised, are at most 4 seconds."""
    problem = TrialProposer(OBJECTIVES).problem
    config = launch_config(CONSTRAINED, problem)
    assert config == {
        "weights": [0.5, 0.5],
        "kind": "constrained",
        "parent": "t1",
        "target": "kind",
        "thresholds": {"seconds": 4.0},
        "seed": 7,
        "reason": "Because.",
    }
    plain = launch_config(weighted([1, 0]), problem)
    assert [plain[k] for k in ("kind", "parent", "target", "thresholds")] == [
        "weighted",
        None,
        None,
        None,
    ]


def test_trials_become_a_history():
    ended = [
        EndedTrial("t0", weighted([1, 0]), (1.0, 10.0)),
        EndedTrial("t1", weighted([0, 1]), None),
        EndedTrial("t2", weighted([0.5, 0.5]), (0.5, 4.0), (0.01, 0.2)),
        EndedTrial("t3", CONSTRAINED, (0.4, 5.0)),
    ]
    history = TrialProposer(OBJECTIVES).history(ended)
    finished, failed = RunStatus.FINISHED, RunStatus.FAILED
    assert [r.status for r in history.runs] == [finished, failed, finished, finished]
    assert history.gains.tolist() == [[1.0, -10.0], [0.5, -4.0], [0.4, -5.0]]
    assert history.stderr.tolist() == [[0.0, 0.0], [0.01, 0.2], [0.0, 0.0]]
    assert history.run_index.tolist() == [0, 2, 3]
    assert history.snapshot_ids == ("t0", "t2", "t3")
    assert history.front.tolist() == [0, 1]
    assert (history.ideal.tolist(), history.nadir.tolist()) == ([1.0, 0.0], [0.0, -10.0])
    assert history.ref == pytest.approx([-0.1, -11.0])


@pytest.mark.parametrize(
    ("found", "scores"),
    [
        ({"a": 1, "b": 2.5, "c": "x"}, (1.0, 2.5)),
        ({"a": np.float32(1), "b": 2}, (1.0, 2.0)),
        ({"a": 1}, None),
        ({"a": 1, "b": float("nan")}, None),
        ({"a": float("inf"), "b": 1}, None),
        ({"a": "1", "b": 1}, None),
    ],
)
def test_scores_are_all_there_and_finite_or_there_are_none(found, scores):
    assert finite_scores(found, ["a", "b"]) == scores


def test_the_package_loads_neither_tuner():
    code = "import sys, paretoflow.integrations.asking; print({'ray', 'optuna'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "set()"


def test_trials_that_start_from_a_parent_may_be_trained_on():
    for proposer in ("pg_predict", "portfolio"):
        launch = TrialProposer(OBJECTIVES, proposer=proposer).next_launch([], [])
        assert launch is not None
        assert launch.proposer == proposer
