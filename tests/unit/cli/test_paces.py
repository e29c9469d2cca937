"""Steps and time left of each run in training."""

from __future__ import annotations

from dataclasses import replace

from paretoflow.cli.paces import SHOWN, Paces
from paretoflow.engine.live import GroupPhase, GroupState

GROUP = GroupState(0, GroupPhase.BUSY, 0.0, "r1", 0, 4)


def test_time_left_is_the_pace_since_it_was_first_seen_by_hand() -> None:
    """From step 4 at 100 s to step 6 at 130 s is 15 s a step: 14 more steps take 210 s."""
    paces = Paces(20)
    assert paces.lines([GROUP], 100.0) == [("r1", "step 4/20", "")]
    assert paces.lines([replace(GROUP, step=6)], 130.0) == [
        ("r1", "step 6/20", "about 3 min 30 s to its last step")
    ]


def test_another_attempt_begins_anew() -> None:
    paces = Paces(20)
    paces.lines([GROUP], 0.0)
    assert paces.lines([replace(GROUP, attempt=1, step=5)], 50.0) == [("r1", "step 5/20", "")]


def test_after_the_last_step_it_evaluates() -> None:
    assert Paces(20).lines([replace(GROUP, step=20)], 0.0) == [("r1", "step 20/20, evaluating", "")]


def test_an_unknown_step_is_none_done() -> None:
    assert Paces(20).lines([replace(GROUP, step=-1)], 0.0) == [("r1", "step 0/20", "")]


def test_a_group_that_waits_says_why_and_an_idle_one_nothing() -> None:
    waits = GroupState(1, GroupPhase.WAITING, 0.0, reason="no space left on the disk")
    idle = GroupState(2, GroupPhase.IDLE, 0.0)
    assert Paces(20).lines([waits, idle], 0.0) == [("", "no space left on the disk", "")]


def test_of_many_groups_the_first_are_shown() -> None:
    many = [replace(GROUP, slot=k, run_id=f"r{k}") for k in range(SHOWN + 3)]
    lines = Paces(20).lines(many, 0.0)
    assert lines[-1] == ("", "… and 3 more", "")
    assert len(lines) == SHOWN + 1
