"""Result fragments: what a worker finished, on disk before the driver hears of it.

A worker that outlives its driver leaves its results here, and the next driver folds them in. Each
fragment is one Arrow file at `<root>/fragments/<run_id>/`, named after its first event, so writing
it twice changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

import pyarrow as pa

from paretoflow.core.errors import LedgerError, SchemaVersionError
from paretoflow.core.ids import digest_of
from paretoflow.ledger.rows import events_to_table, table_to_events
from paretoflow.ledger.tables import SCHEMA_VERSION, Event, EventKind
from paretoflow.storage import Root, as_folder
from paretoflow.storage.durable import make_folder, put_if_absent

_LAST = frozenset({EventKind.FINISHED, EventKind.FAILED, EventKind.STOPPED})
_FIRST = frozenset({EventKind.PROPOSED, EventKind.STARTED})


def write_fragment(root: Root, events: Sequence[Event]) -> Path:
    """Write the events of one run durably; do nothing if one with the same first event is there.

    Args:
        root: Folder of the sweep.
        events: At least one, all of the same run.

    Returns:
        The fragment's path.

    Raises:
        LedgerError: If the events are none or of several runs, or the disk refuses.
    """
    runs = {e.run_id for e in events}
    if len(runs) != 1 or not re.fullmatch(r"\w[\w.-]*", next(iter(runs))):
        raise LedgerError(
            f"a fragment holds the events of one run, got runs {sorted(runs)}", "fragments"
        )
    path = _folder(root) / events[0].run_id / _file_name(events[0].event_id)
    content = _to_bytes(events_to_table(events))
    try:
        make_folder(path.parent)
        put_if_absent(path, content)
    except OSError as error:
        raise LedgerError(
            f"cannot write a fragment: {error}",
            str(path),
            "check free space and permissions, then run again",
        ) from error
    return path


def fragment_paths(root: Root) -> list[Path]:
    """Return the path of every whole fragment, sorted; a half-written one has another name."""
    return sorted(p for p in _folder(root).glob("*/*.arrow") if not p.name.startswith("."))


def read_fragment(path: Path) -> list[Event]:
    """Return the events of one fragment, in the order they were written.

    Raises:
        LedgerError: If the file is damaged.
        SchemaVersionError: If a newer version of ParetoFlow wrote it.
    """
    try:
        table = pa.ipc.open_file(path.read_bytes()).read_all()
        table.validate(full=True)
    except (OSError, pa.ArrowException) as error:
        raise LedgerError(
            f"fragment cannot be read: {str(error).splitlines()[0]}",
            str(path),
            "restore it from a copy, or move it out of the folder to go on without it",
        ) from error
    version = int((table.schema.metadata or {}).get(b"paretoflow.schema_version", SCHEMA_VERSION))
    if version > SCHEMA_VERSION:
        raise SchemaVersionError(
            f"written with schema version {version}; this ParetoFlow reads up to {SCHEMA_VERSION}",
            str(path),
            "use the same version of paretoflow on the workers and the driver",
        )
    return table_to_events(table)


def read_fragments(root: Root, *, known: Collection[Path | str] = ()) -> list[Event]:
    """Return the events of every fragment, each id once.

    They come by run, then attempt, then phase (start, results, end), then step.

    Args:
        root: Folder of the sweep.
        known: Paths of fragments to leave unopened, ids of events to leave out, or both. A set,
            where there are many.

    Raises:
        LedgerError: If a fragment is damaged; none is skipped in silence.
    """
    found: dict[str, Event] = {}
    for path in fragment_paths(root):
        for event in read_fragment(path) if path not in known else ():
            if event.event_id not in known:
                found.setdefault(event.event_id, event)
    return sorted(found.values(), key=lambda e: (e.run_id, e.attempt, _phase(e.kind), e.step))


def _folder(root: Root) -> Path:
    local = as_folder(root).local
    assert local is not None
    return local / "fragments"


def _file_name(event_id: str) -> str:
    """Return a name that any file system takes and that differs for different ids."""
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
