from __future__ import annotations

from dataclasses import replace

import pytest

from paretoflow.core.status import RunStatus
from paretoflow.core.values import History, LaunchKind, Proposal
from paretoflow.proposers import build
from paretoflow.proposers.asked import Asked
from paretoflow.proposers.extremes import MOST, extreme_launch
from paretoflow.spec.proposers import CmorlHvProposerSpec, EmptyBoxProposerSpec, GpHviProposerSpec
from tests.histories import history_of, opening, problem_of, weighted

TENS = problem_of(2, 0.0, 10.0)
OPENING = [weighted([1, 0]), weighted([0, 1]), weighted([1, 1])]


def came_to(*rows: list[float], launches: list[Proposal] = OPENING, stderr: float = 0.0) -> History:
    """One evaluation for each run, in order."""
    return history_of(TENS, launches, list(enumerate(rows)), stderr=stderr)


def again(history: History, *pending: Proposal) -> Proposal | None:
    launches = [*(run.proposal for run in history.runs), *pending]
    return extreme_launch(history, Asked(launches), 0, "empty_box")


def test_an_objective_whose_own_run_was_beaten_is_trained_for_from_the_one_ahead() -> None:
    history = came_to([3.0, 1.0], [1.0, 9.0], [5.0, 6.0])
    launch = again(history)
    assert launch is not None
    assert (launch.kind, launch.weights.values) == (LaunchKind.WEIGHTED, (1.0, 0.0))
    assert launch.parent == history.snapshot_ids[2]
    assert (launch.proposer, launch.tag) == ("empty_box", "extreme")
    assert "coverage alone" in launch.reason


def test_nothing_is_trained_for_again_where_ends_are_ends_or_nearly_so() -> None:
    assert again(came_to([9.0, 1.0], [1.0, 9.0], [5.0, 6.0])) is None
    assert again(came_to([4.6, 1.0], [1.0, 9.0], [5.0, 6.0])) is None


def test_a_lead_within_three_standard_errors_may_be_luck() -> None:
    rows = [3.0, 1.0], [1.0, 9.0], [5.0, 6.0]
    # two scores differ by 0.5 * sqrt(2) through noise alone: three of these are 2.1, the lead is 2
    assert again(came_to(*rows, stderr=0.5)) is None
    assert again(came_to(*rows, stderr=0.4)) is not None


def test_a_failed_run_is_beaten_by_any_other() -> None:
    whole = came_to([0.0, 0.0], [1.0, 9.0], [5.0, 6.0])
    first = replace(whole.runs[0], status=RunStatus.FAILED)
    kept = history_of(TENS, OPENING, [(1, [1.0, 9.0]), (2, [5.0, 6.0])])
    launch = again(replace(kept, runs=(first, *kept.runs[1:])))
    assert launch is not None
    assert launch.parent == kept.snapshot_ids[1]


def test_not_while_one_is_pending_nor_from_the_base_nor_for_ever() -> None:
    rows = [3.0, 1.0], [1.0, 9.0], [5.0, 6.0]
    first = again(came_to(*rows))
    assert first is not None
    assert again(came_to(*rows), first) is None
    base = history_of(TENS, OPENING, [(-1, [5.0, 6.0]), (0, [3.0, 1.0]), (1, [1.0, 6.0])])
    assert again(base) is None
    vain = [*OPENING, *[first] * (MOST - 1)]
    assert again(came_to(*rows, *[[2.0, 2.0]] * (MOST - 1), launches=vain)) is None


def test_permuting_the_objectives_permutes_the_launch() -> None:
    one = again(came_to([3.0, 1.0], [1.0, 9.0], [5.0, 6.0]))
    swapped = [weighted([0, 1]), weighted([1, 0]), weighted([1, 1])]
    other = again(came_to([1.0, 3.0], [9.0, 1.0], [6.0, 5.0], launches=swapped))
    assert one is not None
    assert other is not None
    assert other.weights.values == one.weights.values[::-1]
    assert other.parent == one.parent


@pytest.mark.parametrize(
    "spec",
    [
        EmptyBoxProposerSpec(type="empty_box"),
        CmorlHvProposerSpec(type="cmorl_hv"),
        GpHviProposerSpec(type="gp_hvi"),
    ],
    ids=lambda spec: spec.type,
)
def test_who_fills_gaps_mends_the_ends_first(
    spec: EmptyBoxProposerSpec | CmorlHvProposerSpec | GpHviProposerSpec,
) -> None:
    history = came_to([3.0, 1.0], [1.0, 9.0], [5.0, 6.0], launches=list(opening(2)))
    first, second = build(spec, m=2, runs=9).propose(history, (), 2, 0)
    assert (first.tag, first.proposer) == ("extreme", spec.type)
    assert second.tag != "extreme"


def test_a_method_that_takes_no_parents_is_given_none() -> None:
    history = came_to([3.0, 1.0], [1.0, 9.0], [5.0, 6.0], launches=list(opening(2)))
    spec = GpHviProposerSpec(type="gp_hvi")
    proposer = build(spec, m=2, runs=9, launches=(LaunchKind.WEIGHTED,))
    assert proposer.propose(history, (), 1, 0)[0].parent is None
