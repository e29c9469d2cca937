"""A ledger with a hole is refused with the file's name; its driver puts back what it can."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable, write_deltalake

from paretoflow.core.errors import DamagedError, LedgerError
from paretoflow.ledger import delta, fenced_table, open_ledger
from paretoflow.ledger.delta import DeltaLedger
from paretoflow.ledger.fragments import write_fragment
from paretoflow.ledger.tables import Event
from tests.faults import raises
from tests.unit.ledger.rows_for_tests import evaluated, front, log_of

ROWS = 12


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("written")
    ledger = open_ledger(root, writer=True, create=True, fsync=False)
    for i in range(ROWS):
        ledger.append([evaluated(i)])
        ledger.record_front(front(i, ledger_seq=i))
    return root


@pytest.fixture
def sweep(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "sweep"))


def _entry(sweep: Path, version: int) -> Path:
    return log_of(sweep) / f"{version:020d}.json"


def _data(sweep: Path, seq: int) -> Path:
    (found,) = (sweep / "ledger" / "events").glob(f"rows-{seq:08d}-*.parquet")
    return found


def _swap(one: Path, other: Path) -> None:
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)


# entries 0 and 1 make the table and take it over: that of row n is n + 2
LOG_DAMAGE: dict[str, Callable[[Path], object]] = {
    "no bytes": lambda s: _entry(s, 7).write_bytes(b""),
    "zeros": lambda s: _entry(s, 7).write_bytes(bytes(900)),
    "half": lambda s: _entry(s, 7).write_bytes(_entry(s, 7).read_bytes()[:400]),
    "cut between two lines": lambda s: _entry(s, 7).write_bytes(
        _entry(s, 7).read_bytes().splitlines(keepends=True)[0]
    ),
    "a list": lambda s: _entry(s, 7).write_bytes(b"[1, 2]"),
    "no UTF-8": lambda s: _entry(s, 7).write_bytes(b"\xff\xfe" * 40),
    "deep": lambda s: _entry(s, 7).write_bytes(b"[" * 100_000),
    "gone": lambda s: _entry(s, 7).unlink(),
    "another in its place": lambda s: shutil.copy(_entry(s, 5), _entry(s, 7)),
    "the last two swapped": lambda s: _swap(_entry(s, ROWS), _entry(s, ROWS + 1)),
    "several": lambda s: [_entry(s, v).write_bytes(b"") for v in (3, 4, 9)],
}


@pytest.mark.few(5)
@pytest.mark.parametrize("kind", LOG_DAMAGE)
def test_a_damaged_log_is_refused_and_its_driver_mends_it(sweep: Path, kind: str) -> None:
    whole = open_ledger(sweep, writer=False).events()
    LOG_DAMAGE[kind](sweep)
    with pytest.raises(DamagedError) as caught:
        open_ledger(sweep, writer=False).events()
    assert str(log_of(sweep)) in caught.value.where
    assert ".json" in caught.value.where
    assert f"paretoflow resume {sweep}" in caught.value.hint
    ledger = open_ledger(sweep, writer=True)
    assert isinstance(ledger, DeltaLedger)
    assert ledger.healed
    assert ledger.events() == open_ledger(sweep, writer=False).events() == whole
    assert [e.seq for e in ledger.append([evaluated(3), evaluated(99)])] == [ROWS]
    assert open_ledger(sweep, writer=True).append([evaluated(99)]) == []


def test_a_folder_in_place_of_an_entry_is_named(sweep: Path) -> None:
    entry = _entry(sweep, 7)
    entry.unlink()
    entry.mkdir()
    with pytest.raises(DamagedError, match=entry.name):
        open_ledger(sweep, writer=False).events()
    with raises("storage-refused", f"{entry.name}: ", os.strerror(errno.EISDIR)):
        open_ledger(sweep, writer=True)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)


DATA_DAMAGE: dict[str, Callable[[Path], object]] = {
    "one bit": _flip,
    "no bytes": lambda p: p.write_bytes(b""),
    "half": lambda p: p.write_bytes(p.read_bytes()[: p.stat().st_size // 2]),
    "longer": lambda p: p.write_bytes(p.read_bytes() + b"\0"),
    "gone": lambda p: p.unlink(),
}


@pytest.mark.few(3)
@pytest.mark.parametrize("kind", DATA_DAMAGE)
def test_a_damaged_data_file_is_refused_and_healed_from_fragments(sweep: Path, kind: str) -> None:
    whole = open_ledger(sweep, writer=False).events()
    DATA_DAMAGE[kind](_data(sweep, 4))
    for writer in (False, True):  # nothing else holds row 4 yet
        code = "damaged-gone" if kind == "gone" else "damaged"
        with raises(code, _name_of_row(4)) as caught:
            open_ledger(sweep, writer=writer).events()
    assert "row 4" in caught.value.what
    write_fragment(sweep, [evaluated(4)])
    healed = open_ledger(sweep, writer=True).events()
    assert [(e.event_id, e.seq) for e in healed] == [(e.event_id, e.seq) for e in whole]
    assert open_ledger(sweep, writer=False).events() == healed


def _name_of_row(seq: int) -> str:
    return rf"rows-{seq:08d}-"


def test_two_files_that_changed_names_are_refused(sweep: Path) -> None:
    _swap(_data(sweep, 2), _data(sweep, 8))
    with raises("damaged", "another digest"):
        open_ledger(sweep, writer=False).events()


def test_what_merging_replaced_heals_a_merged_file(
    sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fenced_table, "COMPACT_EVERY", 3)
    ledger = open_ledger(sweep, writer=True)
    added = ledger.append([evaluated(50)])
    (merged,) = (sweep / "ledger" / "events").glob("all-*.parquet")
    merged.write_bytes(merged.read_bytes()[:-1])
    with raises("damaged", "all-"):
        open_ledger(sweep, writer=False).events()
    again = open_ledger(sweep, writer=True).events()
    assert len(again) == ROWS + 1
    assert again[-1:] == added


def test_a_row_of_a_driver_that_lost_the_race_is_not_put_in_place(sweep: Path) -> None:
    old = open_ledger(sweep, writer=True)
    open_ledger(sweep, writer=True).append([evaluated(70)])
    with pytest.raises(LedgerError):
        old.append([evaluated(80)])
    # as if the older had got as far as writing its data file before it was fenced
    rows = delta.events_to_table([Event(**{**evaluated(80).__dict__, "seq": ROWS, "epoch": 1})])
    name, content = fenced_table.data_file(rows, "seq", 1)
    (sweep / "ledger" / "events" / name).write_bytes(content)
    _data_of_epoch(sweep, ROWS, 2).unlink()
    with raises("damaged-gone", f"row {ROWS}"):
        open_ledger(sweep, writer=True)


def _data_of_epoch(sweep: Path, seq: int, epoch: int) -> Path:
    (found,) = (sweep / "ledger" / "events").glob(f"rows-{seq:08d}-*-e{epoch:06d}-*.parquet")
    return found


def test_a_damaged_checkpoint_is_mended_by_the_driver(sweep: Path) -> None:
    whole = open_ledger(sweep, writer=False).events()
    DeltaTable(sweep / "ledger" / "events").create_checkpoint()
    (checkpoint,) = log_of(sweep).glob("*.checkpoint.parquet")
    for damage in (b"", checkpoint.read_bytes()[:200], bytes(500)):
        checkpoint.write_bytes(damage)
        with raises("damaged", "checkpoint.parquet"):
            open_ledger(sweep, writer=False)
    assert open_ledger(sweep, writer=True).events() == whole


@pytest.mark.parametrize("content", [b"", b"[]", b'{"version": 3}', b'{"version": 999}', b"\xff"])
def test_a_damaged_hint_of_the_last_checkpoint_changes_nothing(sweep: Path, content: bytes) -> None:
    whole = open_ledger(sweep, writer=False).events()
    DeltaTable(sweep / "ledger" / "events").create_checkpoint()
    (log_of(sweep) / "_last_checkpoint").write_bytes(content)
    assert open_ledger(sweep, writer=False).events() == whole


def test_a_hole_among_the_fronts_is_refused_and_mended(sweep: Path) -> None:
    _entry_of_fronts = log_of(sweep, "fronts") / f"{6:020d}.json"
    _entry_of_fronts.write_bytes(b"")
    with pytest.raises(DamagedError, match=_entry_of_fronts.name):
        open_ledger(sweep, writer=False).fronts()
    assert [f.number for f in open_ledger(sweep, writer=True).fronts()] == list(range(ROWS))


def test_a_table_of_an_earlier_version_opens_and_its_holes_are_seen(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, writer=True, create=True, fsync=False)
    folder = tmp_path / "ledger" / "events"
    for i in range(4):
        row = Event(**{**evaluated(i).__dict__, "seq": i, "epoch": 0})
        write_deltalake(
            DeltaTable(folder),
            delta.events_to_table([row]),
            mode="append",
            commit_properties=fenced_table._properties(i, 0),
        )
    whole = open_ledger(tmp_path, writer=False).events()
    assert [e.seq for e in whole] == [0, 1, 2, 3]
    assert ledger.events() == whole
    _entry(tmp_path, 3).write_bytes(b"")
    with raises("damaged-gone", "row 1", "4)", "missing"):
        open_ledger(tmp_path, writer=False).events()
    assert [e.event_id for e in open_ledger(tmp_path, writer=True).events()] == [
        e.event_id for e in whole
    ]


def test_dead_files_go_with_the_next_merge(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = open_ledger(sweep, writer=False)
    monkeypatch.setattr(fenced_table, "COMPACT_EVERY", 10)
    ledger = open_ledger(sweep, writer=True)
    folder = sweep / "ledger" / "events"
    for i in range(100, 125):
        ledger.append([evaluated(i)])
        assert len(reader.events()) == len(ledger.events())
    live = {u.rpartition("/")[2] for u in DeltaTable(folder).file_uris()}
    there = {p.name for p in folder.glob("*.parquet")}
    assert live <= there
    assert len(there) <= len(live) + 11
    assert len(open_ledger(sweep, writer=False).events()) == ROWS + 25


def test_a_reader_whose_files_were_merged_away_looks_again(
    sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = open_ledger(sweep, writer=False)
    assert isinstance(reader, DeltaLedger)
    monkeypatch.setattr(fenced_table, "COMPACT_EVERY", 3)
    ledger = open_ledger(sweep, writer=True)
    for i in range(100, 110):
        ledger.append([evaluated(i)])
    assert reader._events.read().num_rows == ROWS + 10  # a handle without a refresh


@pytest.mark.parametrize("table", ["events", "fronts"])
def test_a_folder_in_place_of_the_last_entry_is_named(sweep: Path, table: str) -> None:
    entry = max((sweep / "ledger" / table / "_delta_log").glob("*.json"))
    entry.unlink()
    entry.mkdir()
    with raises("storage-refused") as caught:
        open_ledger(sweep, writer=True)
    assert caught.value.where == str(entry)
