from __future__ import annotations

from dataclasses import fields

import pyarrow as pa

from paretoflow.ledger.rows import (
    events_to_table,
    fronts_to_table,
    in_order,
    numbered,
    table_to_events,
    table_to_fronts,
)
from paretoflow.ledger.tables import EVENTS_SCHEMA, FRONTS_SCHEMA, Event, EventKind, FrontRecord
from tests.faults import raises
from tests.unit.ledger.rows_for_tests import evaluated, front


def test_the_schemas_have_a_column_for_every_field() -> None:
    assert EVENTS_SCHEMA.names == [f.name for f in fields(Event)]
    assert FRONTS_SCHEMA.names == [f.name for f in fields(FrontRecord)]


def test_nothing_makes_an_empty_table_and_back() -> None:
    assert events_to_table([]).schema == EVENTS_SCHEMA
    assert table_to_events(events_to_table([])) == []
    assert table_to_fronts(fronts_to_table([])) == []


def test_slices_and_chunks_are_read_like_whole_tables() -> None:
    events = [evaluated(i, prompt_scores=((float(i),) * i, ())) for i in range(6)]
    table = events_to_table(events)
    assert table_to_events(table.slice(2, 3)) == events[2:5]
    assert (
        table_to_events(pa.concat_tables([table.slice(4), table.slice(0, 4)]))
        == events[4:] + events[:4]
    )


def test_missing_columns_and_nulls_give_the_defaults() -> None:
    table = events_to_table([evaluated(0)]).drop_columns(["tokens", "payload", "prompt_scores"])
    nulls = pa.array([None], pa.string())
    table = table.set_column(table.schema.get_field_index("digest"), "digest", nulls)
    (event,) = table_to_events(table)
    assert event == evaluated(0, tokens=0, payload={}, prompt_scores=(), digest="")


def test_a_kind_of_a_later_version_is_refused() -> None:
    table = events_to_table([evaluated(0)])
    table = table.set_column(1, EVENTS_SCHEMA.field("kind"), pa.array(["teleported"]))
    with raises("schema-version", "teleported"):
        table_to_events(table)


def test_a_front_that_does_not_fit_is_named() -> None:
    with raises("ledger", "front 3"):
        fronts_to_table([front(3, hypervolume="large")])


def test_order_and_numbers() -> None:
    shuffled = [evaluated(1, seq=1), evaluated(0, seq=0), evaluated(0, seq=2, wall_s=9.0)]
    assert in_order(shuffled) == [evaluated(0, seq=0), evaluated(1, seq=1)]
    known = {evaluated(0).event_id}
    fresh = numbered([evaluated(0), evaluated(1), evaluated(2), evaluated(1)], known, 5, 2)
    assert fresh == [evaluated(1, seq=5, epoch=2), evaluated(2, seq=6, epoch=2)]
    assert fresh[0].kind is EventKind.EVALUATED
