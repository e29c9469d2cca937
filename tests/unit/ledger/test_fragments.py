from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest

from paretoflow.core.errors import DamagedError
from paretoflow.ledger.fragments import (
    read_fragments,
    write_fragment,
)
from paretoflow.ledger.rows import events_to_table
from paretoflow.ledger.tables import Event, EventKind
from tests.faults import raises
from tests.unit.ledger.rows_for_tests import evaluated


def _written(root: Path, events: list[Event]) -> Path:
    return Path(write_fragment(root, events))


def _event(run: str, attempt: int, kind: EventKind, step: int = 0) -> Event:
    return Event(
        f"{kind}:{run}:{attempt}:{step}", kind, 0.0, run_id=run, attempt=attempt, step=step
    )


def test_a_fragment_comes_back_exactly(tmp_path: Path) -> None:
    events = [evaluated(1), evaluated(1, event_id="finished/r0001 ü", kind=EventKind.FINISHED)]
    path = _written(tmp_path, events)
    assert path.parent == tmp_path / "fragments" / "r0001"
    assert path.suffix == ".arrow"
    assert read_fragments(tmp_path) == events
    assert list(path.parent.iterdir()) == [path]


def test_writing_twice_keeps_the_first(tmp_path: Path) -> None:
    path = _written(tmp_path, [evaluated(1)])
    before = path.stat()
    assert _written(tmp_path, [evaluated(1, wall_s=99.0)]) == path
    assert path.stat() == before
    assert read_fragments(tmp_path) == [evaluated(1)]


def test_ids_that_differ_only_in_odd_characters_do_not_collide(tmp_path: Path) -> None:
    ids = ["a/b", "a:b", "a b", "../a", "x" * 500, "x" * 501, "é", ""]
    for event_id in ids:
        path = _written(tmp_path, [evaluated(1, event_id=event_id)])
        assert path.parent == tmp_path / "fragments" / "r0001"
    assert sorted(e.event_id for e in read_fragments(tmp_path)) == sorted(ids)


def test_fragments_come_by_run_attempt_phase_and_step(tmp_path: Path) -> None:
    ordered = [
        _event("r0", 0, EventKind.STARTED),
        _event("r0", 0, EventKind.EVALUATED, 5),
        _event("r0", 0, EventKind.EVALUATED, 10),
        _event("r0", 0, EventKind.FAILED),
        _event("r0", 1, EventKind.STARTED),
        _event("r0", 1, EventKind.FINISHED, 20),
        _event("r1", 0, EventKind.EVALUATED, 1),
    ]
    for event in reversed(ordered):
        write_fragment(tmp_path, [event])
    assert read_fragments(tmp_path) == ordered


def test_known_events_are_left_out(tmp_path: Path) -> None:
    write_fragment(tmp_path, [evaluated(1)])
    write_fragment(tmp_path, [evaluated(2), evaluated(2, event_id="more")])
    assert read_fragments(tmp_path, known={evaluated(1).event_id, "more"}) == [evaluated(2)]


def test_a_fragment_whose_first_event_is_known_is_not_opened(tmp_path: Path) -> None:
    path = _written(tmp_path, [evaluated(1), evaluated(1, event_id="more")])
    path.write_bytes(b"damaged, but already folded in")
    assert read_fragments(tmp_path, known={evaluated(1).event_id}) == []


def test_the_fragments_of_one_run(tmp_path: Path) -> None:
    for i in (1, 2):
        write_fragment(tmp_path, [evaluated(i)])
    assert read_fragments(tmp_path, run_id="r0002") == [evaluated(2)]
    assert read_fragments(tmp_path, run_id="r000") == []


def test_a_kind_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = _written(tmp_path, [evaluated(1)])
    table = events_to_table([evaluated(1)])
    kinds = pa.array(["dreamt"], pa.string())
    table = table.set_column(table.column_names.index("kind"), "kind", kinds)
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)
    with raises("schema-version", "'dreamt'"):
        read_fragments(tmp_path)


def test_an_event_in_two_fragments_comes_once(tmp_path: Path) -> None:
    write_fragment(tmp_path, [evaluated(1)])
    write_fragment(tmp_path, [evaluated(1, event_id="z"), evaluated(1)])
    assert [e.event_id for e in read_fragments(tmp_path)] == [evaluated(1).event_id, "z"]


def test_no_folder_means_no_fragments(tmp_path: Path) -> None:
    assert read_fragments(tmp_path) == []


def test_a_half_written_fragment_is_not_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_fragment(tmp_path, [evaluated(1)])

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", die)
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            write_fragment(tmp_path, [evaluated(1, event_id="other")])
    assert len(list((tmp_path / "fragments" / "r0001").iterdir())) == 2
    assert read_fragments(tmp_path) == [evaluated(1)]


@pytest.mark.parametrize("damage", ["empty", "half", "garbage"])
def test_a_damaged_fragment_is_named_and_never_skipped(tmp_path: Path, damage: str) -> None:
    path = _written(tmp_path, [evaluated(1)])
    write_fragment(tmp_path, [evaluated(2)])
    content = path.read_bytes()
    path.write_bytes(
        {"empty": b"", "half": content[: len(content) // 2], "garbage": b"x" * 500}[damage]
    )
    with raises("damaged", "folder") as caught:
        read_fragments(tmp_path)
    assert caught.value.where == str(path)


def test_a_fragment_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = _written(tmp_path, [evaluated(1)])
    table = events_to_table([evaluated(1)]).replace_schema_metadata(
        {"paretoflow.schema_version": "99"}
    )
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)
    with raises("schema-version", "version 99"):
        read_fragments(tmp_path)


@pytest.mark.parametrize(
    "events",
    [[], [evaluated(1), evaluated(2)], [evaluated(1, run_id="")], [evaluated(1, run_id="../up")]],
    ids=["none", "two runs", "no run", "a run outside"],
)
def test_a_fragment_is_about_one_run(tmp_path: Path, events: list[Event]) -> None:
    with raises("ledger", "one run"):
        write_fragment(tmp_path, events)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "fragments").write_text("a file in the way")
    with raises("storage-refused", "File exists"):
        write_fragment(tmp_path, [evaluated(1)])


def _swap(one: Path, other: Path) -> None:
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)


def test_no_flipped_bit_is_read_as_another_result(tmp_path: Path) -> None:
    event = evaluated(1, prompt_scores=((0.1,) * 40, (1.5,) * 40))
    path = _written(tmp_path, [event])
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        content = bytearray(whole)
        content[at] ^= 1 << at % 8
        path.write_bytes(content)
        with pytest.raises(DamagedError, match=path.stem):
            read_fragments(tmp_path)


def test_fragments_that_changed_places_are_refused(tmp_path: Path) -> None:
    one, other = (_written(tmp_path, [evaluated(i)]) for i in (1, 2))
    _swap(one, other)
    with raises("damaged", "r0002"):
        read_fragments(tmp_path, known={evaluated(1).event_id})


def test_a_fragment_of_an_earlier_version_has_no_seal_and_is_read(tmp_path: Path) -> None:
    path = _written(tmp_path, [evaluated(1)])
    table = events_to_table([evaluated(1)])
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)
    assert read_fragments(tmp_path) == [evaluated(1)]
    whole = path.read_bytes()
    for cut in (0, 3, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(DamagedError, match=path.stem):
            read_fragments(tmp_path)
    for index in range(2):  # a payload that is no JSON, a score that is no number
        bad = {"payload": ["{"], "scores": [[float("nan"), 1.0]]}
        name = list(bad)[index]
        at = table.column_names.index(name)
        changed = table.set_column(at, table.field(at), pa.array(bad[name], table.field(at).type))
        with pa.ipc.new_file(str(path), changed.schema) as writer:
            writer.write_table(changed)
        with pytest.raises(DamagedError, match=path.stem):
            read_fragments(tmp_path)


def test_a_damaged_fragment_is_set_aside_and_its_run_does_not_end(tmp_path: Path) -> None:
    first = _written(tmp_path, [evaluated(1, event_id="first", step=5)])
    last = _written(tmp_path, [evaluated(1), _event("r0001", 0, EventKind.FINISHED)])
    write_fragment(tmp_path, [evaluated(2), _event("r0002", 0, EventKind.FINISHED)])
    first.write_bytes(first.read_bytes()[:-100])
    told: list[DamagedError] = []
    events = read_fragments(tmp_path, damaged=told.append)
    assert [e.where for e in told] == [str(first)]
    assert [(e.run_id, e.kind) for e in events] == [
        ("r0001", EventKind.EVALUATED),
        ("r0002", EventKind.EVALUATED),
        ("r0002", EventKind.FINISHED),
    ]
    assert not first.exists()
    assert first.with_name(f"{first.name}.damaged").exists()
    again = read_fragments(tmp_path, known={e.event_id for e in events})
    assert again == []  # no later driver takes the end in either: the run is made again
    assert not last.exists()
