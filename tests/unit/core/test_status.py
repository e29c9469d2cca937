from __future__ import annotations

import pytest

from paretoflow.core.status import TRANSITIONS, RunStatus


def test_every_status_says_what_may_come_next() -> None:
    assert set(TRANSITIONS) == set(RunStatus)


@pytest.mark.parametrize("status", [RunStatus.FINISHED, RunStatus.FAILED])
def test_what_has_ended_stays_so(status: RunStatus) -> None:
    assert TRANSITIONS[status] == frozenset()


def test_a_stopped_run_can_only_be_put_back() -> None:
    assert TRANSITIONS[RunStatus.STOPPED] == {RunStatus.PENDING}


def test_a_paused_run_goes_on_or_turns_out_to_have_finished() -> None:
    assert TRANSITIONS[RunStatus.PAUSED] == {RunStatus.RUNNING, RunStatus.FINISHED}


def test_from_every_open_status_a_run_can_still_finish() -> None:
    reachable = {RunStatus.FINISHED}
    while more := {s for s in RunStatus if TRANSITIONS[s] & reachable} - reachable:
        reachable |= more
    assert reachable == set(RunStatus) - {RunStatus.FAILED}
