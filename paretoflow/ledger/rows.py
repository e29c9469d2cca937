"""Converts events and fronts to Arrow and back, exactly: tuples, floats and Unicode included."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import MISSING, fields, replace
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from paretoflow.core.errors import DamagedError, LedgerError, SchemaVersionError
from paretoflow.ledger.tables import (
    EVENT_FIELDS,
    EVENTS_SCHEMA,
    FRONT_FIELDS,
    FRONTS_SCHEMA,
    Event,
    EventKind,
    FrontRecord,
)

_KINDS = {kind.value: kind for kind in EventKind}
_DEFAULTS: dict[str, Any] = {f.name: f.default for f in fields(Event) if f.default is not MISSING}
_DEFAULTS["payload"] = "{}"


def events_to_table(events: Sequence[Event]) -> pa.Table:
    """Return the events as a table with the columns of `EVENTS_SCHEMA`, one row each, in order.

    Raises:
        LedgerError: If an event cannot be stored: a payload that is no JSON, a score that is not
            finite, text that is no Unicode, a number that does not fit its column. Names the first
            such event.
    """
    try:
        return _events_table(events)
    except (ValueError, TypeError, OverflowError):
        for event in events:
            _refuse_if_unstorable(event)
        raise


def table_to_events(table: pa.Table) -> list[Event]:
    """Return the rows as events, in order; a missing or null column gives the field's default.

    Raises:
        DamagedError: If a row lacks a column that every version wrote.
        SchemaVersionError: If this version does not know the kind of a row.
    """
    there = dict(zip(table.column_names, table.columns, strict=True))
    columns = {name: _column(name, there.get(name), table.num_rows) for name in EVENT_FIELDS}
    # convert whole columns first: a row then costs no more than its constructor
    columns["kind"] = _kinds(columns["kind"], columns["event_id"])
    columns["payload"] = _payloads(columns["payload"], columns["event_id"])
    return [Event(*row) for row in zip(*columns.values(), strict=True)]


def fronts_to_table(fronts: Sequence[FrontRecord]) -> pa.Table:
    """Return the fronts as a table with the columns of `FRONTS_SCHEMA`.

    Raises:
        LedgerError: If a front does not fit the columns.
    """
    columns = {name: [getattr(f, name) for f in fronts] for name in FRONT_FIELDS}
    try:
        return pa.table(columns, schema=FRONTS_SCHEMA)
    except (ValueError, TypeError, OverflowError) as error:
        numbers = ", ".join(str(f.number) for f in fronts)
        raise LedgerError(f"front {numbers} cannot be stored: {error}", "ledger/fronts") from error


def table_to_fronts(table: pa.Table) -> list[FrontRecord]:
    """Return the rows of a table as fronts, ordered by number, each number once."""
    columns = {name: _values(table[name]) for name in FRONT_FIELDS}
    rows = [
        FrontRecord(**dict(zip(columns, row, strict=True)))
        for row in zip(*columns.values(), strict=True)
    ]
    return sorted({f.number: f for f in reversed(rows)}.values(), key=lambda f: f.number)


def in_order(events: Sequence[Event]) -> list[Event]:
    """Return the events by `seq`, each id once (the first wins)."""
    unique: dict[str, Event] = {}
    for event in sorted(events, key=lambda e: e.seq):
        unique.setdefault(event.event_id, event)
    return list(unique.values())


def numbered(events: Sequence[Event], known: set[str], seq: int, epoch: int) -> list[Event]:
    """Return the events whose ids are new, each id once, numbered from `seq` on."""
    fresh: dict[str, Event] = {}
    for event in events:
        if event.event_id not in known and event.event_id not in fresh:
            fresh[event.event_id] = replace(event, seq=seq + len(fresh), epoch=epoch)
    return list(fresh.values())


def _events_table(events: Sequence[Event]) -> pa.Table:
    for event in events:
        if not all(map(math.isfinite, event.scores)):
            raise ValueError(f"scores must be finite, got {event.scores}")
    columns: dict[str, list[Any]] = {
        name: [getattr(e, name) for e in events] for name in EVENT_FIELDS
    }
    columns["kind"] = [EventKind(e.kind).value for e in events]
    columns["payload"] = [json.dumps(e.payload, allow_nan=False) for e in events]
    return pa.table(columns, schema=EVENTS_SCHEMA)


def _refuse_if_unstorable(event: Event) -> None:
    try:
        _events_table([event])
    except (ValueError, TypeError, OverflowError) as error:
        raise LedgerError(
            f"event {event.event_id!r} cannot be stored: {error}", "ledger/events"
        ) from error


def _column(name: str, column: pa.ChunkedArray | None, rows: int) -> list[Any]:
    values = [None] * rows if column is None else _values(column)
    if column is not None and not column.null_count:
        return values
    if name not in _DEFAULTS and rows:
        raise DamagedError(f"rows without {name}", "ledger/events")
    return [_DEFAULTS[name] if v is None else v for v in values]


def _kinds(names: Sequence[str], event_ids: Sequence[str]) -> list[EventKind]:
    try:
        return [_KINDS[name] for name in names]
    except KeyError as error:
        first = next(i for i, name in enumerate(names) if name not in _KINDS)
        raise SchemaVersionError(
            f"event {event_ids[first]!r} has kind {names[first]!r}; "
            f"this version knows {', '.join(EventKind)}",
            "ledger/events",
            "upgrade paretoflow to the version that wrote it, or a later one",
        ) from error


def _payloads(texts: Sequence[str], event_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return payloads as mappings; refuse one that is no mapping, which no version wrote."""
    payloads: list[dict[str, Any]] = []
    for text, event_id in zip(texts, event_ids, strict=True):
        try:
            payload = json.loads(text) if text and text != "{}" else {}
        except (ValueError, RecursionError):
            payload = None
        if not isinstance(payload, dict):
            raise DamagedError(f"event {event_id!r} has a payload that is damaged", "ledger/events")
        payloads.append(payload)
    return payloads


def _values(column: pa.ChunkedArray) -> list[Any]:
    return _nested(column.combine_chunks())


def _nested(array: pa.Array) -> list[Any]:
    """Return lists as tuples at any depth; floats go through numpy, which is much faster."""
    if pa.types.is_list(array.type):
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_pylist()
        items = iter(_nested(array.flatten()))
        return [tuple(islice(items, length)) for length in lengths]
    if pa.types.is_floating(array.type) and array.null_count == 0:
        floats: list[Any] = array.to_numpy(zero_copy_only=False).tolist()
        return floats
    values: list[Any] = array.to_pylist()
    return values
