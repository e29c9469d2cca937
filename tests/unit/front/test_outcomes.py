"""How constrained launches ended."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paretoflow.core.status import RunStatus
from paretoflow.core.values import LaunchKind, Proposal, RunRecord, WeightVector
from paretoflow.front.outcomes import difference_error, outcome_facts, outcome_of, outcomes_of
from tests.views import two_objectives


def proposal(thresholds=(-np.inf, 4.0), target=0, parent=None) -> Proposal:
    return Proposal(
        LaunchKind.CONSTRAINED,
        WeightVector((0.5, 0.5)),
        0,
        "Because.",
        "by hand",
        parent=parent,
        target=target,
        thresholds=thresholds,
    )


def test_the_case_of_the_docstring():
    found = outcome_of(proposal(), np.array([2.0, 3.5]), np.array([1.0, 5.0]), np.full(2, 0.1))
    assert found is not None
    assert found.room.tolist() == [np.inf, -0.5]
    assert found.change.tolist() == [1.0, -1.5]
    assert not found.kept
    assert found.improved


@pytest.mark.parametrize(("stderr", "kept"), [(0.49, False), (0.5, True)])
def test_within_one_standard_error_is_kept(stderr, kept):
    own, parent = np.array([2.0, 3.5]), np.array([1.0, 5.0])
    found = outcome_of(proposal(), own, parent, np.array([0.0, stderr]))
    assert found is not None
    assert found.kept is kept


def test_what_was_asked_to_keep_nothing_has_no_outcome():
    weighted = Proposal(LaunchKind.WEIGHTED, WeightVector((0.5, 0.5)), 0, "", "")
    assert outcome_of(weighted, np.zeros(2), np.zeros(2), np.zeros(2)) is None


@pytest.fixture
def ended():
    """A view whose third run extends its second, in the minimised length."""
    view = two_objectives()
    rows = list(view.evaluations)
    parent, own = rows[3], rows[4]
    run = view.runs[3]
    thresholds = (parent.scores[0] - 0.05, -np.inf)
    asked = proposal(thresholds, target=1, parent=parent.snapshot_id)
    assert run.run_id == own.run_id
    return view, RunRecord(run.run_id, asked, RunStatus.FINISHED), parent, own


def test_a_run_is_judged_against_its_parent_prompt_by_prompt(ended):
    view, run, parent, own = ended
    found = outcomes_of(view.front.problem, [run], view.evaluations)[run.run_id]
    assert found.gain == pytest.approx(parent.scores[1] - own.scores[1])  # fewer words are better
    assert found.room[0] == pytest.approx(own.scores[0] - parent.scores[0] + 0.05)
    spread = (own.prompt_scores - parent.prompt_scores).std(axis=1, ddof=1)
    np.testing.assert_allclose(found.stderr, spread / np.sqrt(own.n))


def test_other_prompts_are_as_independent(ended):
    _, _, parent, own = ended
    apart = difference_error(own, replace(parent, data="other prompts"))
    np.testing.assert_allclose(apart, np.hypot(own.stderr, parent.stderr))


def test_what_is_told_names_what_was_missed(ended):
    view, run, _, own = ended
    strict = (own.scores[0] + 3.0, -np.inf)
    missed = replace(run, proposal=replace(run.proposal, thresholds=strict))
    told = outcome_facts(view.front.problem, [missed], view.evaluations)
    assert told is not None
    assert (told["finished"], told["kept"], told["improved"]) == (1, 0, 0)
    assert told["runs"][run.run_id]["text"].startswith("missed coverage by 3 ± ")
    assert told["runs"][run.run_id]["room"] == {"coverage": pytest.approx(-3.0)}


def test_open_and_failed_runs_have_no_outcome(ended):
    view, run, _, _ = ended
    failed = replace(run, status=RunStatus.FAILED)
    assert outcome_facts(view.front.problem, [failed], view.evaluations) is None
