from __future__ import annotations

import pytest

from paretoflow.core.status import Boundary
from paretoflow.engine.failures.backoff import Rests, rest_s
from paretoflow.engine.live import GangPhase, GangState
from paretoflow.engine.messages import Cause, Failure

FULL = Failure(
    Boundary.STORE, "no space left on /a: OSError", True, "", Cause.OUTAGE, "no space left on /a"
)
BROKE = Failure(Boundary.METHOD, "broke", retryable=True)
HERE = GangState(1, GangPhase.IDLE, 50.0, where=("10.0.0.7",))


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(1, 5.0), (2, 10.0), (3, 20.0), (6, 160.0), (7, 300.0), (10**6, 300.0)],
)
def test_rests_grow_to_five_minutes(failures: int, seconds: float) -> None:
    assert rest_s(failures) == seconds


def test_a_group_rests_longer_each_time_and_says_since_when_and_why() -> None:
    rests = Rests()
    rests.ended(HERE, FULL, 100.0)
    assert [rests.of(1, at) is None for at in (104.9, 105.0)] == [False, True]
    rest = rests.ended(HERE, FULL, 130.0)
    assert rest is not None
    assert (rest.since_s, rest.until_s, rest.failures) == (100.0, 140.0, 2)
    shown = rests.shown(HERE, 131.0)
    assert (shown.phase, shown.since_s) == (GangPhase.WAITING, 100.0)
    assert shown.reason == "no space left on /a (node 10.0.0.7)"
    assert rests.shown(HERE, 140.0) == HERE


@pytest.mark.parametrize("failure", [None, BROKE])
def test_a_run_that_ends_otherwise_shows_that_the_group_can_work(failure: Failure | None) -> None:
    rests = Rests()
    rests.ended(HERE, FULL, 100.0)
    assert rests.ended(HERE, failure, 101.0) is None
    assert rests.of(1, 101.0) is None
    rest = rests.ended(HERE, FULL, 200.0)
    assert rest is not None
    assert (rest.failures, rest.since_s) == (1, 200.0)


def test_other_groups_and_groups_at_work_are_left_alone() -> None:
    rests = Rests()
    rests.ended(HERE, FULL, 100.0)
    other = GangState(2, GangPhase.IDLE, 50.0)
    busy = GangState(1, GangPhase.BUSY, 50.0, run_id="a")
    assert rests.of(2, 101.0) is None
    assert [rests.shown(g, 101.0) for g in (other, busy)] == [other, busy]
