"""Errors for a ledger whose files are damaged, gone, unreadable or of a newer version."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from deltalake import DeltaTable

from paretoflow.core.errors import (
    LedgerError,
)
from paretoflow.ledger import fenced_table, open_ledger
from paretoflow.ledger.fragments import read_fragments, write_fragment
from tests.faults import raises
from tests.unit.ledger.rows_for_tests import evaluated, last_entry, log_of


@pytest.mark.parametrize("cut", ["empty", "half", "after the first action", "zeros"])
def test_a_torn_last_log_entry_says_what_to_do(tmp_path: Path, cut: str) -> None:
    ledger = open_ledger(tmp_path, writer=True, create=True)
    kept = ledger.append([evaluated(0)])
    ledger.append([evaluated(1)])
    entry = last_entry(tmp_path)
    whole = entry.read_bytes()
    entry.write_bytes(
        {
            "empty": b"",
            "half": whole[: len(whole) // 2],
            "after the first action": whole[: whole.index(b"\n")],
            "zeros": bytes(len(whole)),
        }[cut]
    )
    for writer in (False, True):
        with raises("damaged", f"{entry.name}: ", "cut short"):
            open_ledger(tmp_path, writer=writer)
    entry.rename(tmp_path / "torn.json")
    again = open_ledger(tmp_path, writer=True)
    assert again.events() == kept
    assert [e.seq for e in again.append([evaluated(1)])] == [1]


def test_a_compaction_cut_between_two_lines_is_not_taken_for_whole(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, writer=True, create=True)
    for i in range(3):
        ledger.append([evaluated(i)])
    DeltaTable(tmp_path / "ledger" / "events").optimize.compact()
    entry = last_entry(tmp_path)
    lines = entry.read_bytes().splitlines()
    assert len(lines) == 5
    assert len(open_ledger(tmp_path, writer=False).events()) == 3
    for count in range(5):
        entry.write_bytes(b"\n".join(lines[:count]))
        with raises("damaged", "cut short"):
            open_ledger(tmp_path, writer=False)


def test_a_torn_checkpoint_says_what_to_do_and_that_helps(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, writer=True, create=True, fsync=False)
    ledger.append([evaluated(0)])
    DeltaTable(tmp_path / "ledger" / "events").create_checkpoint()
    (checkpoint,) = log_of(tmp_path).glob("*.checkpoint.parquet")
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    with raises("damaged", "_last_checkpoint") as caught:
        open_ledger(tmp_path, writer=False)
    assert "\n" not in str(caught.value)
    checkpoint.unlink()
    (log_of(tmp_path) / "_last_checkpoint").unlink()
    assert len(open_ledger(tmp_path, writer=False).events()) == 1


def test_a_lost_data_file_is_named(tmp_path: Path) -> None:
    open_ledger(tmp_path, writer=True, create=True).append([evaluated(0)])
    (data,) = (tmp_path / "ledger" / "events").glob("*.parquet")
    data.rename(tmp_path / data.name)
    with pytest.raises(LedgerError, match=data.stem):
        open_ledger(tmp_path, writer=False).events()


def test_a_newer_schema_is_refused_with_a_hint(tmp_path: Path) -> None:
    open_ledger(tmp_path, writer=True, create=True)
    DeltaTable(tmp_path / "ledger" / "events").alter.set_table_properties(
        {fenced_table.VERSION_KEY: "99"}, raise_if_not_exists=False
    )
    for writer in (False, True):
        with raises("schema-version", "version 99"):
            open_ledger(tmp_path, writer=writer)


def test_a_full_disk_loses_nothing_and_goes_on_once_there_is_space(small_disk: Path) -> None:
    ledger = open_ledger(small_disk, writer=True, create=True)
    kept = ledger.append([evaluated(0)])
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(small_disk).free))
    for _ in range(2):
        with raises("ledger-storage", "Errno 28") as caught:
            ledger.append([evaluated(1)])
        assert "free space" in caught.value.hint
        with raises("storage-refused", "No space"):
            write_fragment(small_disk, [evaluated(1)])
    assert read_fragments(small_disk) == []
    ballast.unlink()
    kept += ledger.append([evaluated(1)])
    assert open_ledger(small_disk, writer=False).events() == kept
    assert [e.seq for e in kept] == [0, 1]


def test_an_unreadable_log_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_ledger(tmp_path, writer=True, create=True)

    def refuse(_: Path) -> bytes:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with raises("storage-refused", "Permission"):
        open_ledger(tmp_path, writer=False)
