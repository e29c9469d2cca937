"""What every ledger promises, whatever it is stored in."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from paretoflow.core.errors import FencedError, LedgerError
from paretoflow.ledger import STORES, Ledger, open_ledger, probe
from paretoflow.ledger.memory import MemoryLedger, MemoryStore
from paretoflow.ledger.tables import Event, EventKind
from tests.faults import raises
from tests.unit.ledger.rows_for_tests import evaluated, front

Open = Callable[[bool], Ledger]
"""Opens another handle on the same ledger; the argument says whether as writer."""


def _open_delta(folder: Path | str) -> Open:
    return lambda writer: open_ledger(folder, writer=writer, create=True, fsync=False)


def _open_memory(_: object) -> Open:
    store = MemoryStore()
    return lambda writer: MemoryLedger(store, writer=writer)


OPENERS: dict[str, Callable[[Path | str], Open]] = {"delta": _open_delta, "memory": _open_memory}
PLACES = {
    "delta on disk": ("delta", "disk"),
    "delta on s3": ("delta", "s3"),
    "memory": ("memory", "disk"),
}


def test_every_store_is_here_and_can_be_imported() -> None:
    assert set(OPENERS) == set(STORES) == {store for store, _ in PLACES.values()}
    for target in STORES.values():
        module, name = target.split(":")
        assert isinstance(getattr(import_module(module), name), type)


class TestLedger:
    """Run over every store in every place."""

    @pytest.fixture(
        params=[
            # in `make test`, tests/unit/ledger/test_s3_ledger.py tests what S3 itself can do wrong
            pytest.param(place, marks=[pytest.mark.full] if where == "s3" else [])
            for place, (_, where) in sorted(PLACES.items())
        ]
    )
    def open_handle(
        self,
        request: pytest.FixtureRequest,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Open:
        monkeypatch.setattr(probe, "ROUNDS", 1)
        store, place = PLACES[request.param]
        if place == "s3":
            return OPENERS[store](f"s3://{request.getfixturevalue('s3_bucket')}/sweeps/one")
        return OPENERS[store](tmp_path / "a sweep, 100% ünïcode #1")

    def test_starts_empty(self, open_handle: Open) -> None:
        ledger = open_handle(True)
        assert (ledger.events(), ledger.fronts(), ledger.epoch) == ([], [], 0)

    def test_ids_are_those_of_all_events(self, open_handle: Open) -> None:
        ledger = open_handle(True)
        ledger.append([evaluated(0), evaluated(1)])
        wanted = {e.event_id for e in ledger.events()}
        assert len(wanted) == 2
        assert set(ledger.ids()) == wanted
        assert set(open_handle(False).ids()) == wanted
        assert set(open_handle(True).ids()) == wanted

    def test_append_returns_what_it_added_and_numbers_it(self, open_handle: Open) -> None:
        ledger = open_handle(True)
        events = [evaluated(0), evaluated(1)]
        added = ledger.append(events)
        assert added == [replace(events[0], seq=0, epoch=0), replace(events[1], seq=1, epoch=0)]
        assert ledger.events() == added

    def test_numbers_have_no_gaps_over_appends_and_drivers(self, open_handle: Open) -> None:
        for driver in range(3):
            ledger = open_handle(True)
            ledger.append([evaluated(10 * driver), evaluated(10 * driver + 1)])
            ledger.append([evaluated(10 * driver + 2)])
        events = open_handle(False).events()
        assert [e.seq for e in events] == list(range(9))
        assert [e.epoch for e in events] == [0, 0, 0, 1, 1, 1, 2, 2, 2]

    def test_an_event_is_added_once(self, open_handle: Open) -> None:
        first = open_handle(True)
        (kept,) = first.append([evaluated(0), evaluated(0, wall_s=9.0)])
        assert kept.wall_s == 1.5
        event = evaluated(2)
        assert len(first.append([event, event])) == 1
        assert first.append([evaluated(0)]) == []
        second = open_handle(True)
        assert [e.seq for e in second.append([evaluated(0), evaluated(1)])] == [2]
        assert len(second.events()) == 3

    def test_nothing_to_append_adds_nothing(self, open_handle: Open) -> None:
        ledger = open_handle(True)
        assert ledger.append([]) == []
        assert ledger.events() == []

    def test_an_append_is_all_or_nothing(self, open_handle: Open) -> None:
        ledger = open_handle(True)
        with pytest.raises(LedgerError, match="bad"):
            ledger.append([evaluated(0), evaluated(1, event_id="bad", payload={"x": object()})])
        assert ledger.events() == []
        assert [e.seq for e in ledger.append([evaluated(1)])] == [0]

    @pytest.mark.parametrize(
        "changes",
        [
            {"payload": {"loss": math.nan}},
            {"scores": (math.inf, 0.0)},
            {"scores": (math.nan, 0.0)},
            {"message": "\ud800"},
            {"step": 2**40},
            {"scores": ("high",)},
            {"kind": "guessed"},
        ],
        ids=repr,
    )
    def test_what_cannot_be_stored_is_refused_by_name(
        self, open_handle: Open, changes: dict[str, object]
    ) -> None:
        with pytest.raises(LedgerError, match="the-bad-one"):
            open_handle(True).append(
                [evaluated(0), evaluated(1, event_id="the-bad-one", **changes)]
            )

    def test_every_field_comes_back_exactly(self, open_handle: Open) -> None:
        odd = [
            Event("bare", EventKind.OPENED, 0.0),
            evaluated(
                1,
                scores=(0.1 + 0.2, 5e-324, -0.0),
                stderr=(math.inf, 1.7976931348623157e308),
                prompt_scores=((), (1 / 3,), ()),
                weights=(),
                tokens=2**62,
                message="Überfüllt: 日本語 🧪 \0 'quotes' \"and\"\nlines",
                boundary="objective",
                payload={
                    "text": "\ud800 ü",
                    "none": None,
                    "deep": [[], {}, {"a": [1, 2.5, True, "x"]}],
                    "float": 0.1 + 0.2,
                    "big": 2**80,
                },
            ),
            evaluated(2, prompt_scores=tuple(tuple(map(float, range(50))) for _ in range(3))),
            evaluated(3, payload={}, scores=(), path=""),
        ]
        added = open_handle(True).append(odd)
        assert [replace(e, seq=-1, epoch=-1) for e in added] == odd
        assert open_handle(False).events() == added
        assert math.copysign(1.0, open_handle(False).events()[1].scores[2]) == -1.0

    def test_what_append_returns_is_what_a_reader_sees(self, open_handle: Open) -> None:
        added = open_handle(True).append(
            [evaluated(0, payload={"box": (1, 2), "kind": EventKind.FAILED})]
        )
        assert added[0].payload == {"box": [1, 2], "kind": "failed"}
        assert open_handle(False).events() == added

    def test_events_after_a_number(self, open_handle: Open) -> None:
        ledger = open_handle(True)
        reader = open_handle(False)
        ledger.append([evaluated(i) for i in range(3)])
        ledger.append([evaluated(i) for i in range(3, 5)])
        for handle in (ledger, reader):
            assert [e.seq for e in handle.events(after=1)] == [2, 3, 4]
            assert handle.events(after=4) == []
            assert handle.events(after=99) == []

    def test_a_reader_sees_what_was_committed_since(self, open_handle: Open) -> None:
        ledger = open_handle(True)
        reader = open_handle(False)
        assert reader.events() == []
        added = ledger.append([evaluated(0)])
        assert reader.events() == added
        added += ledger.append([evaluated(1)])
        assert reader.events() == added

    def test_a_reader_cannot_write(self, open_handle: Open) -> None:
        open_handle(True)
        reader = open_handle(False)
        assert reader.epoch == -1
        with raises("ledger-read-only"):
            reader.append([evaluated(0)])
        with raises("ledger-read-only"):
            reader.record_front(front(0))

    def test_each_writer_takes_the_next_epoch(self, open_handle: Open) -> None:
        assert [open_handle(True).epoch for _ in range(3)] == [0, 1, 2]

    def test_a_newer_driver_fences_the_older(self, open_handle: Open) -> None:
        old = open_handle(True)
        old.append([evaluated(0)])
        new = open_handle(True)
        with raises("fenced", "epoch 1", "epoch 0"):
            old.append([evaluated(1)])
        with pytest.raises(FencedError):
            old.record_front(front(0))
        new.append([evaluated(2)])
        new.record_front(front(1))
        for write in (
            lambda: old.append([evaluated(3)]),
            lambda: old.append([]),
            lambda: old.append([evaluated(0)]),
        ):
            with pytest.raises(FencedError):
                write()
        assert [(e.run_id, e.epoch) for e in new.events()] == [("r0000", 0), ("r0002", 1)]
        assert [f.number for f in new.fronts()] == [1]

    def test_looking_does_not_unfence(self, open_handle: Open) -> None:
        old = open_handle(True)
        open_handle(True)
        assert (old.events(), old.fronts()) == ([], [])
        with pytest.raises(FencedError):
            old.append([evaluated(0)])
        with pytest.raises(FencedError):
            old.record_front(front(0))
        assert old.events() == []

    def test_a_fenced_driver_may_still_read(self, open_handle: Open) -> None:
        old = open_handle(True)
        added = open_handle(True).append([evaluated(0)])
        with pytest.raises(FencedError):
            old.append([evaluated(1)])
        assert old.events() == added

    def test_opening_again_shows_the_same(self, open_handle: Open) -> None:
        ledger = open_handle(True)
        added = ledger.append([evaluated(0), evaluated(1)])
        ledger.record_front(front(0))
        again = open_handle(True)
        assert again.events() == added
        assert again.fronts() == ledger.fronts() == [front(0)]

    def test_a_front_is_recorded_once_and_they_come_by_number(self, open_handle: Open) -> None:
        ledger = open_handle(True)
        for number in (1, 0, 2):
            ledger.record_front(front(number))
        ledger.record_front(front(1, hypervolume=9.0))
        open_handle(True).record_front(front(2, hypervolume=9.0))
        assert ledger.fronts() == [front(0), front(1), front(2)]

    def test_a_front_comes_back_exactly(self, open_handle: Open) -> None:
        record = front(0, snapshot_ids=(), ref_scores=(5e-324,), code_version="0.1+ü")
        open_handle(True).record_front(record)
        assert open_handle(False).fronts() == [record]

    def test_ten_thousand_events_in_one_append(self, open_handle: Open) -> None:
        ledger = open_handle(True)
        added = ledger.append([evaluated(i) for i in range(10_000)])
        assert [e.seq for e in added] == list(range(10_000))
        assert open_handle(False).events() == added
        assert ledger.append([evaluated(9_999), evaluated(10_000)])[0].seq == 10_000
