"""Constrained launches that were in vain are not proposed again."""

from __future__ import annotations

import numpy as np
import pytest

from paretoflow.core.values import LaunchKind, Proposal, WeightVector
from paretoflow.proposers import build
from paretoflow.proposers.keeping import KeepingRecord, kept_so_far, slack_of
from paretoflow.spec.proposers import CmorlHvProposerSpec, CmorlProposerSpec
from tests.histories import history_of, problem_of, weighted

OPENING = [weighted((1, 0)), weighted((0, 1)), weighted((0.5, 0.5))]
ROWS = [(0, (0.9, 0.1)), (1, (0.1, 0.9)), (2, (0.55, 0.55))]


def asked(parent: str, target: int, kept: float, proposer="cmorl", tag="") -> Proposal:
    bounds = [0.0, 0.0]
    bounds[1 - target] = kept
    return Proposal(
        LaunchKind.CONSTRAINED,
        WeightVector((0.5, 0.5)),
        0,
        "Because.",
        proposer,
        parent=parent,
        target=target,
        thresholds=tuple(bounds),
        tag=tag,
    )


def test_the_case_of_the_docstring():
    record = KeepingRecord(well=((0, 0.2),), in_vain=((0, 0.05), (0, 0.1)))
    assert record.hopeless(0, 0.05)
    assert not record.hopeless(0, 0.08)  # one of those in vain had less
    assert not record.hopeless(1, 0.05)  # towards another objective


def test_one_launch_that_ended_well_with_less_is_hope():
    record = KeepingRecord(well=((0, 0.03),), in_vain=((0, 0.05), (0, 0.1)))
    assert not record.hopeless(0, 0.05)
    assert record.hopeless(0, 0.02)


def test_the_record_tells_kept_and_gained_from_the_rest():
    first = history_of(problem_of(2), OPENING, ROWS)
    parent = first.snapshot_ids[2]
    ends = {"well": (0.7, 0.5), "missed": (0.9, 0.2), "stuck": (0.55, 0.55), "worse": (0.5, 0.6)}
    more = [asked(parent, 0, 0.45) for _ in ends]
    rows = [*ROWS, *((3 + i, gains) for i, gains in enumerate(ends.values()))]
    record = kept_so_far(history_of(problem_of(2), [*OPENING, *more], rows))
    assert [t for t, _ in record.well] == [0]
    assert [t for t, _ in record.in_vain] == [0, 0, 0]
    slacks = [s for _, s in (*record.well, *record.in_vain)]
    np.testing.assert_allclose(slacks, 0.1)


def test_the_least_slack_counts_and_the_target_does_not():
    assert slack_of(np.array([0.3, 0.1, -5.0]), 2) == pytest.approx(0.1)


@pytest.mark.parametrize(
    "spec",
    [
        CmorlProposerSpec(type="cmorl", initial=3, slack=0.1),
        CmorlHvProposerSpec(type="cmorl_hv", initial=3),
    ],
    ids=lambda spec: spec.type,
)
def test_what_was_in_vain_is_not_asked_again(spec):
    """Both objectives' extensions missed with far more slack than is to be had."""
    first = history_of(problem_of(2), OPENING, ROWS)
    name = first.snapshot_ids[2]
    vain = [asked(name, target, -0.4, "by hand") for target in (0, 0, 1, 1)]
    ends = [(3, (0.9, -0.7)), (4, (0.9, -0.7)), (5, (-0.7, 0.9)), (6, (-0.7, 0.9))]
    history = history_of(problem_of(2), [*OPENING, *vain], [*ROWS, *ends])
    proposer = build(spec, m=2, runs=20)
    (after,) = proposer.propose(history, [], 1, 0)
    assert after.kind is LaunchKind.WEIGHTED
    fresh = build(spec, m=2, runs=20)
    (before,) = fresh.propose(first, [], 1, 0)
    assert before.kind is LaunchKind.CONSTRAINED
