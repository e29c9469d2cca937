"""What only the ledger on disk has to survive."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from paretoflow.core.errors import (
    FencedError,
    SweepNotFoundError,
)
from paretoflow.ledger import delta_log, fenced_table, open_ledger
from tests.faults import raises
from tests.unit.ledger.rows_for_tests import evaluated, front, last_entry, log_of

REPOSITORY = Path(__file__).parents[3]


def _start_writer(folder: Path, prefix: str, output: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.unit.ledger.writer_process", str(folder), prefix]
    with output.open("wb") as file:
        return subprocess.Popen(command, stdout=file, cwd=REPOSITORY)


def _wait_for_line(output: Path, process: subprocess.Popen[bytes], count: int = 1) -> None:
    deadline = time.monotonic() + 60
    while output.read_bytes().count(b"\n") < count:
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_no_ledger_is_a_fault_of_the_user_that_names_the_folder(tmp_path: Path) -> None:
    for writer in (False, True):
        with raises("sweep-not-found", "paretoflow"):
            open_ledger(tmp_path / "nowhere", writer=writer)
    with pytest.raises(SweepNotFoundError):
        open_ledger(tmp_path / "nowhere", writer=False, create=True)
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with raises("storage-refused", "File exists"):
        open_ledger(tmp_path / "file" / "sweep", writer=True, create=True)


def test_a_ledger_half_made_is_made_whole(tmp_path: Path) -> None:
    open_ledger(tmp_path, writer=True, create=True)
    shutil.rmtree(tmp_path / "ledger" / "events")
    with pytest.raises(SweepNotFoundError):
        open_ledger(tmp_path, writer=False)
    ledger = open_ledger(tmp_path, writer=True, create=True)
    ledger.record_front(front(0))
    assert len(ledger.append([evaluated(0)])) == 1


def test_killed_at_any_moment_no_confirmed_event_is_lost(tmp_path: Path) -> None:
    rng = random.Random(7)
    confirmed: set[str] = set()
    for attempt in range(4):
        output = tmp_path / f"out{attempt}"
        process = _start_writer(tmp_path / "sweep", str(attempt), output)
        _wait_for_line(output, process, count=2)
        time.sleep(rng.uniform(0.0, 0.4))
        process.kill()
        process.wait()
        lines = [line for line in output.read_text().splitlines(keepends=True) if line[-1] == "\n"]
        assert lines[0] == f"epoch {attempt}\n"
        confirmed |= {line.strip() for line in lines[1:]}
        events = open_ledger(tmp_path / "sweep", writer=False).events()
        assert confirmed <= {e.event_id for e in events}
        assert [e.seq for e in events] == list(range(len(events)))
        # at most the one append under way at each kill was committed without a word
        assert len(events) <= len(confirmed) + attempt + 1


def test_two_processes_race_and_the_newer_one_wins(tmp_path: Path) -> None:
    old = _start_writer(tmp_path / "sweep", "old", tmp_path / "old")
    _wait_for_line(tmp_path / "old", old, count=3)
    new = _start_writer(tmp_path / "sweep", "new", tmp_path / "new")
    try:
        assert old.wait(timeout=60) == 0
        _wait_for_line(tmp_path / "new", new, count=5)
    finally:
        new.kill()
        new.wait()
    assert (tmp_path / "old").read_text().endswith("fenced\n")
    events = open_ledger(tmp_path / "sweep", writer=False).events()
    epochs = [e.epoch for e in events]
    assert set(epochs) == {0, 1}
    assert epochs == sorted(epochs)
    assert [e.seq for e in events] == list(range(len(events)))


def test_many_processes_may_make_it_at_once(tmp_path: Path) -> None:
    processes = [_start_writer(tmp_path / "sweep", str(i), tmp_path / f"out{i}") for i in range(3)]
    finished = 0
    try:
        deadline = time.monotonic() + 60
        while finished < 2 and time.monotonic() < deadline:
            finished = sum(p.poll() is not None for p in processes)
            time.sleep(0.02)
        (winner_index,) = (i for i, p in enumerate(processes) if p.poll() is None)
        _wait_for_line(tmp_path / f"out{winner_index}", processes[winner_index], count=2)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    texts = [(tmp_path / f"out{i}").read_text() for i in range(3)]
    assert sum(text.endswith("fenced\n") for text in texts) == 2
    (winner,) = (text for text in texts if not text.endswith("fenced\n"))
    assert winner.startswith("epoch 2\n")
    events = open_ledger(tmp_path / "sweep", writer=False).events()
    assert [e.seq for e in events] == list(range(len(events)))


def test_checkpoint_and_compaction_change_no_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fenced_table, "COMPACT_EVERY", 40)
    ledger = open_ledger(tmp_path, writer=True, create=True)
    reader = open_ledger(tmp_path, writer=False)
    added = [event for i in range(105) for event in ledger.append([evaluated(i)])]
    table = DeltaTable(tmp_path / "ledger" / "events")
    assert len(table.file_uris()) < 40
    assert list(log_of(tmp_path).glob("*.checkpoint.parquet"))
    assert sorted(p.stem for p in log_of(tmp_path).glob("*.json")) == [
        f"{version:020d}" for version in range(table.version() + 1)
    ]
    assert ledger.events() == reader.events() == added
    assert reader.events(after=50) == added[51:]
    again = open_ledger(tmp_path, writer=True)
    assert again.append([evaluated(3), evaluated(200)])[0].seq == 105
    assert again.events(after=-1)[:-1] == added


def test_a_driver_that_comes_back_often_still_compacts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fenced_table, "COMPACT_EVERY", 5)
    for i in range(12):
        open_ledger(tmp_path, writer=True, create=True).append([evaluated(i)])
    assert len(DeltaTable(tmp_path / "ledger" / "events").file_uris()) <= 6
    assert len(open_ledger(tmp_path, writer=False).events()) == 12


def test_a_fenced_driver_does_not_compact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = open_ledger(tmp_path, writer=True, create=True)
    for i in range(3):
        old.append([evaluated(i)])
    open_ledger(tmp_path, writer=True)
    before = DeltaTable(tmp_path / "ledger" / "events").version()
    monkeypatch.setattr(fenced_table, "COMPACT_EVERY", 1)
    with pytest.raises(FencedError):
        old.append([evaluated(9)])
    assert DeltaTable(tmp_path / "ledger" / "events").version() == before


def test_a_driver_fenced_while_it_compacts_adds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = open_ledger(tmp_path, writer=True, create=True)
    added = [event for i in range(3) for event in old.append([evaluated(i)])]
    monkeypatch.setattr(fenced_table, "COMPACT_EVERY", 1)
    rewrite = fenced_table.FencedTable.rewrite

    def rewrite_late(self: fenced_table.FencedTable, *what: Any) -> bool:
        open_ledger(tmp_path, writer=True)
        return rewrite(self, *what)

    monkeypatch.setattr(fenced_table.FencedTable, "rewrite", rewrite_late)
    with pytest.raises(FencedError):
        old.append([evaluated(9)])
    assert open_ledger(tmp_path, writer=False).events() == added


def test_two_drivers_compacting_at_once_cost_only_a_retry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger(tmp_path, writer=True, create=True)
    added = [event for i in range(3) for event in ledger.append([evaluated(i)])]
    monkeypatch.setattr(fenced_table, "COMPACT_EVERY", 1)
    rewrite = fenced_table.FencedTable.rewrite

    def rewrite_second(self: fenced_table.FencedTable, *what: Any) -> bool:
        DeltaTable(tmp_path / "ledger" / "events").optimize.compact()
        return rewrite(self, *what)

    with monkeypatch.context() as patch:
        patch.setattr(fenced_table.FencedTable, "rewrite", rewrite_second)
        added += ledger.append([evaluated(3)])
    added += ledger.append([evaluated(4)])
    assert ledger.events() == added
    assert [e.seq for e in added] == [0, 1, 2, 3, 4]


def test_events_of_a_commit_whose_end_was_not_seen_are_reported_by_the_next_append(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger(tmp_path, writer=True, create=True)

    def fail(folder: Path, version: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(fenced_table, "sync_commit", fail)
        with raises("ledger-storage", "Input/output"):
            ledger.append([evaluated(0)])
    added = ledger.append([evaluated(0), evaluated(1)])
    assert [(e.run_id, e.seq) for e in added] == [("r0000", 0), ("r0001", 1)]
    assert ledger.events() == added
    assert ledger.append([evaluated(0)]) == []


def test_maintenance_by_another_hand_costs_only_a_retry(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, writer=True, create=True)
    for i in range(3):
        ledger.append([evaluated(i)])
    DeltaTable(tmp_path / "ledger" / "events").optimize.compact()
    assert [e.seq for e in ledger.append([evaluated(3)])] == [3]
    assert [e.seq for e in ledger.events()] == [0, 1, 2, 3]


def test_a_table_that_never_stops_changing_gives_up_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger(tmp_path, writer=True, create=True)
    monkeypatch.setattr(fenced_table.FencedTable, "_write", lambda *_: False)
    with raises("ledger", "writers"):
        ledger.append([evaluated(0)])
    with raises("ledger", "writers"):
        ledger.record_front(front(0))
    with raises("ledger", "writers"):
        open_ledger(tmp_path, writer=True)


@pytest.mark.parametrize("fsync", [True, False])
def test_a_commit_is_flushed_with_its_data_and_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fsync: bool
) -> None:
    ledger = open_ledger(tmp_path, writer=True, create=True, fsync=fsync)
    flushed: list[Path] = []
    monkeypatch.setattr(delta_log, "sync_path", flushed.append)
    ledger.append([evaluated(0)])
    (data,) = (tmp_path / "ledger" / "events").glob("*.parquet")
    expected = [data, last_entry(tmp_path), log_of(tmp_path), data.parent]
    assert flushed == (expected if fsync else [])


def test_a_checkpoint_is_flushed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = open_ledger(tmp_path, writer=True, create=True)
    ledger.append([evaluated(0)])
    DeltaTable(tmp_path / "ledger" / "events").create_checkpoint()
    flushed: list[Path] = []
    monkeypatch.setattr(delta_log, "sync_path", flushed.append)
    delta_log.sync_commit(tmp_path / "ledger" / "events", int(last_entry(tmp_path).stem))
    assert {p.name for p in flushed} >= {
        "_last_checkpoint",
        f"{last_entry(tmp_path).stem}.checkpoint.parquet",
    }
