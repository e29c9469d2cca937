"""What only the ledger in an object store has to survive."""

from __future__ import annotations

import threading
import time

import pytest
from deltalake import DeltaTable

from paretoflow.core import retry
from paretoflow.core.errors import FencedError, SweepNotFoundError
from paretoflow.ledger import delta_log, fenced_table, new_table, open_ledger, probe
from paretoflow.ledger.fragments import read_fragments, write_fragment
from paretoflow.storage import Folder, as_folder
from tests.faults import raises
from tests.s3_server import KEYS, Proxy
from tests.unit.ledger.rows_for_tests import evaluated, front


@pytest.fixture
def root(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setattr(probe, "ROUNDS", 1)
    return as_folder(f"s3://{s3_bucket}/sweeps/one")


def _log(root: Folder) -> list[str]:
    return [n for n in root.names("ledger/events/_delta_log") if n.endswith(".json")]


def test_no_ledger_is_a_fault_of_the_user_that_names_the_place(root: Folder) -> None:
    with pytest.raises(SweepNotFoundError, match=rf"{root.uri}: .*paretoflow run"):
        open_ledger(root, writer=False)
    assert root.names() == []


def test_a_ledger_leaves_no_probe_behind(root: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "ROUNDS", 3)
    open_ledger(root.uri, writer=True, create=True)
    assert {name.split("/")[1] for name in root.names()} == {"events", "fronts"}


def test_a_storage_that_cannot_put_if_absent_is_refused_by_name(
    s3_bucket: str, s3_proxy: Proxy
) -> None:
    s3_proxy.strip = frozenset({"if-none-match"})
    root = as_folder(f"s3://{s3_bucket}/sweeps/one")
    with raises("storage-no-put-if-absent", "absent") as caught:
        open_ledger(root, writer=True, create=True)
    assert s3_bucket in caught.value.where
    assert "conditional writes" in caught.value.hint
    assert root.names() == []


def test_a_storage_that_refuses_is_told_at_once(root: Folder, s3_proxy: Proxy) -> None:
    ledger = open_ledger(root, writer=True, create=True)
    ledger.append([evaluated(0)])
    s3_proxy.status = 403
    for call in (
        lambda: ledger.append([evaluated(1)]),
        ledger.fronts,
        lambda: open_ledger(root, writer=False),
        lambda: open_ledger(root.below("other"), writer=True, create=True),
    ):
        with raises("storage-denied", "AWS_SECRET_ACCESS_KEY") as caught:
            call()
        assert KEYS["AWS_SECRET_ACCESS_KEY"] not in str(caught.value)
    s3_proxy.status = None
    assert [e.run_id for e in ledger.append([evaluated(1)])] == ["r0001"]


def test_a_bucket_that_is_not_there_is_named(root: Folder) -> None:
    for writer in (False, True):
        with raises("storage-no-bucket", "'no-such-bucket'"):
            open_ledger("s3://no-such-bucket/sweeps", writer=writer, create=writer)


def test_an_outage_costs_nothing_and_doubles_nothing(root: Folder, s3_proxy: Proxy) -> None:
    """Appends go on while the server is away for a while, three times in the middle of all."""
    ledger = open_ledger(root, writer=True, create=True)

    def fail_now_and_then() -> None:
        for _ in range(3):
            time.sleep(0.4)
            s3_proxy.stop()
            time.sleep(0.6)
            s3_proxy.start()

    storm = threading.Thread(target=fail_now_and_then)
    storm.start()
    for index in range(12):
        write_fragment(root, [evaluated(index)])
        added = ledger.append([evaluated(index)])
        assert [e.run_id for e in added] == [f"r{index:04d}"]
    ledger.record_front(front(0))
    storm.join()
    events = open_ledger(root, writer=False).events()
    assert [(e.run_id, e.seq) for e in events] == [(f"r{i:04d}", i) for i in range(12)]
    assert len(read_fragments(root)) == 12
    assert len(ledger.fronts()) == 1


def test_an_outage_longer_than_patience_is_told_and_nothing_is_lost(
    root: Folder, s3_proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta_log, "COMMIT_PATIENCE_S", 0.3)
    ledger = open_ledger(root, writer=True, create=True)
    kept = ledger.append([evaluated(0)])
    s3_proxy.stop()
    monkeypatch.setattr(retry, "OUTAGE_S", 0.3)
    with raises("ledger-storage", "storage failed") as caught:
        ledger.append([evaluated(1)])
    assert "\n" not in str(caught.value)
    with raises("storage-no-answer", "for 0.3"):
        write_fragment(root, [evaluated(1)])
    s3_proxy.start()
    kept += ledger.append([evaluated(1)])
    assert open_ledger(root, writer=False).events() == kept
    assert [e.seq for e in kept] == [0, 1]


def test_the_older_driver_of_two_adds_nothing_after_the_newer(root: Folder) -> None:
    """Both write as fast as they can; the older stops at its first commit after the takeover."""
    old = open_ledger(root, writer=True, create=True)
    took_over = threading.Event()
    fenced: list[FencedError] = []

    def go_on() -> None:
        for index in range(1000):
            try:
                old.append([evaluated(index)])
            except FencedError as error:
                fenced.append(error)
                return
            if index == 2:
                took_over.set()
            time.sleep(0.01)

    racer = threading.Thread(target=go_on)
    racer.start()
    took_over.wait(30)
    new = open_ledger(root, writer=True)
    added = [event for i in range(5) for event in new.append([evaluated(5000 + i)])]
    racer.join()
    assert len(fenced) == 1
    events = new.events()
    epochs = [e.epoch for e in events]
    assert epochs == sorted(epochs)
    assert events[-5:] == added
    assert [e.seq for e in events] == list(range(len(events)))


def test_checkpoints_and_compaction_change_no_event(
    root: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fenced_table, "COMPACT_EVERY", 4)
    monkeypatch.setitem(new_table.CONFIGURATION, "delta.checkpointInterval", "5")
    ledger = open_ledger(root, writer=True, create=True)
    added = [event for i in range(12) for event in ledger.append([evaluated(i)])]
    table = DeltaTable(f"{root}/ledger/events", storage_options=delta_log.delta_options(root))
    assert len(table.file_uris()) < 8
    log = root.names("ledger/events/_delta_log")
    assert any(name.endswith(".checkpoint.parquet") for name in log)
    assert len(_log(root)) == table.version() + 1
    again = open_ledger(root, writer=True)
    assert again.events() == added
    assert again.events(after=5) == added[6:]
    assert again.append([evaluated(3), evaluated(50)])[0].seq == 12


@pytest.mark.parametrize("cut", ["empty", "half"])
def test_a_torn_last_log_entry_says_what_to_do(root: Folder, cut: str) -> None:
    ledger = open_ledger(root, writer=True, create=True)
    kept = ledger.append([evaluated(0)])
    ledger.append([evaluated(1)])
    entry = _log(root)[-1]
    whole = root.read(entry)
    root.write(entry, {"empty": b"", "half": whole[: len(whole) // 2]}[cut])
    for writer in (False, True):
        with raises("damaged", "short") as caught:
            open_ledger(root, writer=writer)
        assert caught.value.where == f"{root}/{entry}"
    root.delete(entry)
    again = open_ledger(root, writer=True)
    assert again.events() == kept
    assert [e.seq for e in again.append([evaluated(1)])] == [1]


def test_a_commit_whose_answer_was_lost_counts_once(
    root: Folder, s3_proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store takes the log entry, but its answer never comes: delta-rs asks again, in vain."""
    ledger = open_ledger(root, writer=True, create=True)
    answer, lost = s3_proxy.answer, []

    def answer_late(
        method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        told = answer(method, path, headers, body)
        if method == "PUT" and "_delta_log" in path and not lost:
            lost.append(path)
            return 503, [("Content-Length", "0")], b""
        return told

    monkeypatch.setattr(s3_proxy, "answer", answer_late)
    added = ledger.append([evaluated(0)])
    assert lost
    assert [(e.run_id, e.seq) for e in added] == [("r0000", 0)]
    assert ledger.append([evaluated(0)]) == []
    assert ledger.events() == added


def test_appends_are_few_requests(root: Folder, s3_proxy: Proxy) -> None:
    ledger = open_ledger(root, writer=True, create=True)
    ledger.append([evaluated(0)])
    s3_proxy.requests.clear()
    ledger.append([evaluated(1)])
    assert len(s3_proxy.requests) <= 8
