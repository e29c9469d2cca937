"""Counts of the benchmark of kills and full disks."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from paretoflow.ledger.tables import Event, EventKind
from tests.benchmarks.chaos import told
from tests.benchmarks.chaos.blows import SmallDisk


def row(seq: int, kind: EventKind, run_id: str = "r0", **fields: object) -> Event:
    event = Event(f"{kind}:{run_id}:{seq}", kind, 100.0 + seq, run_id, seq=seq)
    return replace(event, **fields)  # type: ignore[arg-type]


BEFORE = (
    row(0, EventKind.PROPOSED),
    row(1, EventKind.STARTED),
    row(2, EventKind.EVALUATED, snapshot_id="r0-a0-s1"),
)
AFTER = (*BEFORE, row(3, EventKind.FINISHED))


@pytest.mark.parametrize(
    ("later", "lost"),
    [
        (AFTER, 0),
        (BEFORE[:2], 1),
        ((), 3),
        ((BEFORE[0], replace(BEFORE[1], attempt=4), BEFORE[2]), 1),
        ((BEFORE[1], BEFORE[0], BEFORE[2]), 2),
    ],
)
def test_rows_that_are_gone_changed_or_moved_are_lost(later: tuple[Event, ...], lost: int) -> None:
    assert told.missing(BEFORE, later) == lost


def test_a_result_that_was_told_must_be_there() -> None:
    lines = "[1/4] r0 finished in 3 s: front 2\n[2/4] r1 finished in 3 s: front 2\n"
    assert told.untold([lines, lines], AFTER) == 1
    assert told.untold([lines[: lines.index("[2")]], AFTER) == 0


@pytest.mark.parametrize("twice", [*BEFORE, AFTER[-1]])
def test_a_row_a_run_and_an_attempt_are_there_once(twice: Event) -> None:
    assert told.doubled(AFTER) == 0
    assert told.doubled((*AFTER, replace(twice, seq=4, event_id="another"))) == 1
    assert told.doubled((*AFTER, row(4, EventKind.CLOSED, event_id=AFTER[0].event_id))) == 1


def test_failures_are_told_apart() -> None:
    lost = row(4, EventKind.FAILED, payload={"final": False, "cause": "lost"})
    own = row(5, EventKind.FAILED, payload={"final": False, "cause": "error"})
    last = row(6, EventKind.FAILED, payload={"final": True, "cause": "error"})
    assert told.charged((*AFTER, lost, own, last)) == 2
    assert told.failed_for_good((*AFTER, lost, own, last)) == [last]


def test_work_goes_on_with_the_first_row_of_work_after_a_blow() -> None:
    rows = (*BEFORE, row(3, EventKind.OPENED), row(4, EventKind.ADOPTED), row(5, EventKind.STARTED))
    assert told.goes_on(rows, 102.5, 3, ended=True) == 1.5
    assert told.goes_on(rows, 104.5, 3, ended=False) == 0.5
    assert told.goes_on(BEFORE, 102.5, 3, ended=False) is None


def test_a_row_of_a_worker_that_outlived_its_command_is_not_going_on() -> None:
    late = row(3, EventKind.EVALUATED, snapshot_id="r0-a0-s2")
    assert told.goes_on((*BEFORE, late), 102.5, 3, ended=True) is None
    rows = (*BEFORE, late, row(6, EventKind.OPENED), row(8, EventKind.STARTED))
    assert told.goes_on(rows, 102.5, 3, ended=True) == 5.5
    assert told.goes_on(rows, 102.5, 3, ended=False) == 0.5


def test_a_full_disk_takes_nothing_and_is_freed(small_disk: Path) -> None:
    filling = threading.Thread(target=SmallDisk(small_disk).fill, args=(0.6,))
    filling.start()
    time.sleep(0.3)
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "more").write_bytes(b"x" * 4096)
    filling.join()
    (small_disk / "more").write_bytes(b"x" * 4096)
