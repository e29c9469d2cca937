"""Result fragments: what a gang finished, in storage before the driver hears of it.

A gang that outlives its driver leaves its results here, and the next driver folds them in. Each
fragment is one Arrow file at `<root>/fragments/<run_id>/`, named after its first event, so writing
it twice changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import pyarrow as pa

from paretoflow.core.errors import LedgerError, SchemaVersionError
from paretoflow.core.ids import digest_of
from paretoflow.ledger.rows import events_to_table, table_to_events
from paretoflow.ledger.tables import SCHEMA_VERSION, Event, EventKind
from paretoflow.storage import Folder, Root, as_folder

FRAGMENTS = "fragments"

_LAST = frozenset({EventKind.FINISHED, EventKind.FAILED, EventKind.STOPPED, EventKind.PAUSED})
_FIRST = frozenset({EventKind.PROPOSED, EventKind.STARTED})


def write_fragment(root: Root, events: Sequence[Event]) -> str:
    """Write the events of one run durably; do nothing if one with the same first event is there.

    Args:
        root: Where the sweep lives.
        events: At least one, all of the same run.

    Returns:
        The fragment's path or URI.

    Raises:
        LedgerError: If the events are none or of several runs.
        StorageError: If storage refuses, or gives no answer for minutes.
    """
    runs = {e.run_id for e in events}
    if len(runs) != 1 or not re.fullmatch(r"\w[\w.-]*", next(iter(runs))):
        raise LedgerError(
            f"a fragment holds the events of one run, got runs {sorted(runs)}", FRAGMENTS
        )
    folder = as_folder(root)
    name = f"{FRAGMENTS}/{events[0].run_id}/{_file_name(events[0].event_id)}"
    folder.put(name, _to_bytes(events_to_table(events)))
    return f"{folder}/{name}"


def read_fragments(root: Root, *, known: Collection[str] = (), run_id: str = "") -> list[Event]:
    """Return the events of every fragment, each id once.

    They come by run, then attempt, then phase (start, results, end), then step.

    Args:
        root: Where the sweep lives.
        known: Ids of events in the ledger: they are left out. A fragment whose first event is among
            them is left unopened, as its events are committed together.
        run_id: Only the fragments of this run; empty for all.

    Raises:
        LedgerError: If a fragment is damaged; none is skipped in silence.
        StorageError: If storage refuses.
    """
    folder = as_folder(root)
    seen = frozenset(known)
    files = {_file_name(each) for each in seen}
    found: dict[str, Event] = {}
    for name in _names(folder, run_id):
        if name.rpartition("/")[2] in files:
            continue
        for event in _read(folder, name):
            if event.event_id not in seen:
                found.setdefault(event.event_id, event)
    return sorted(found.values(), key=lambda e: (e.run_id, e.attempt, _phase(e.kind), e.step))


def _names(folder: Folder, run_id: str) -> list[str]:
    names = folder.names(f"{FRAGMENTS}/{run_id}" if run_id else FRAGMENTS)
    return [name for name in names if name.endswith(".arrow") and name.count("/") == 2]


def _read(folder: Folder, name: str) -> list[Event]:
    where = f"{folder}/{name}"
    try:
        table = pa.ipc.open_file(folder.read(name)).read_all()
        table.validate(full=True)
    except (FileNotFoundError, pa.ArrowException) as error:
        raise LedgerError(
            f"fragment cannot be read: {str(error).splitlines()[0]}",
            where,
            "restore it from a copy, or move it out of the folder to go on without it",
        ) from error
    version = int((table.schema.metadata or {}).get(b"paretoflow.schema_version", SCHEMA_VERSION))
    if version > SCHEMA_VERSION:
        raise SchemaVersionError(
            f"written with schema version {version}; this ParetoFlow reads up to {SCHEMA_VERSION}",
            where,
            "use the same version of paretoflow on every machine",
        )
    return table_to_events(table)


def _file_name(event_id: str) -> str:
    """Return a name that any storage takes and that differs for different ids."""
    return f"{re.sub(r'[^A-Za-z0-9-]+', '_', event_id)[:80]}-{digest_of(event_id)[:12]}.arrow"


def _phase(kind: EventKind) -> int:
    if kind in _FIRST:
        return 0
    return 2 if kind in _LAST else 1


def _to_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content
