from __future__ import annotations

import pytest

from paretoflow.core.status import Boundary
from paretoflow.engine.failures.backoff import Backoffs, backoff_s
from paretoflow.engine.live import GroupPhase, GroupState
from paretoflow.engine.messages import Cause, Failure

FULL = Failure(
    Boundary.STORE, "no space left on /a: OSError", True, "", Cause.OUTAGE, "no space left on /a"
)
BROKE = Failure(Boundary.METHOD, "broke", retryable=True)
HERE = GroupState(1, GroupPhase.IDLE, 50.0, where=("10.0.0.7",))


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(1, 5.0), (2, 10.0), (3, 20.0), (6, 160.0), (7, 300.0), (10**6, 300.0)],
)
def test_rests_grow_to_five_minutes(failures: int, seconds: float) -> None:
    assert backoff_s(failures) == seconds


def test_a_group_rests_longer_each_time_and_says_since_when_and_why() -> None:
    backoffs = Backoffs()
    backoffs.ended(HERE, FULL, 100.0)
    assert [backoffs.of(1, at) is None for at in (104.9, 105.0)] == [False, True]
    rest = backoffs.ended(HERE, FULL, 130.0)
    assert rest is not None
    assert (rest.since_s, rest.until_s, rest.failures) == (100.0, 140.0, 2)
    shown = backoffs.shown(HERE, 131.0)
    assert (shown.phase, shown.since_s) == (GroupPhase.WAITING, 100.0)
    assert shown.reason == "no space left on /a (node 10.0.0.7)"
    assert backoffs.shown(HERE, 140.0) == HERE


@pytest.mark.parametrize("failure", [None, BROKE])
def test_a_run_that_ends_otherwise_shows_that_the_group_can_work(failure: Failure | None) -> None:
    backoffs = Backoffs()
    backoffs.ended(HERE, FULL, 100.0)
    assert backoffs.ended(HERE, failure, 101.0) is None
    assert backoffs.of(1, 101.0) is None
    rest = backoffs.ended(HERE, FULL, 200.0)
    assert rest is not None
    assert (rest.failures, rest.since_s) == (1, 200.0)


def test_other_groups_and_groups_at_work_are_left_alone() -> None:
    backoffs = Backoffs()
    backoffs.ended(HERE, FULL, 100.0)
    other = GroupState(2, GroupPhase.IDLE, 50.0)
    busy = GroupState(1, GroupPhase.BUSY, 50.0, run_id="a")
    assert backoffs.of(2, 101.0) is None
    assert [backoffs.shown(g, 101.0) for g in (other, busy)] == [other, busy]
