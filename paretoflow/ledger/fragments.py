"""Result fragments: a worker group's results, stored before they are reported to the driver.

A worker group that outlives its driver leaves its results here, and the next driver adds them to
the ledger. Each fragment is one sealed Arrow file at `<root>/fragments/<run_id>/`, named after its
first event, so writing it twice changes nothing. Fragments stay after their events are in the
ledger, since they can repair it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

from paretoflow.core.errors import DamagedError, LedgerError, SchemaVersionError
from paretoflow.core.ids import digest_of
from paretoflow.ledger.rows import events_to_table, table_to_events
from paretoflow.ledger.tables import SCHEMA_VERSION, Event, EventKind
from paretoflow.storage import Folder, Root, as_folder
from paretoflow.storage.damaged import set_aside
from paretoflow.storage.sealed import sealed_bytes, unsealed_table

FRAGMENTS = "fragments"

_LAST = frozenset({EventKind.FINISHED, EventKind.FAILED, EventKind.STOPPED, EventKind.PAUSED})
_FIRST = frozenset({EventKind.PROPOSED, EventKind.STARTED})


def write_fragment(root: Root, events: Sequence[Event]) -> str:
    """Write the events of one run durably; skip if a fragment with the same first event exists.

    Args:
        root: Folder of the sweep.
        events: At least one, all of the same run.

    Returns:
        The fragment's path or URI.

    Raises:
        LedgerError: If there are no events, or events of several runs.
        StorageError: If storage refuses access, or does not answer for minutes.
    """
    runs = {e.run_id for e in events}
    if len(runs) != 1 or not re.fullmatch(r"\w[\w.-]*", next(iter(runs))):
        raise LedgerError(
            f"a fragment holds the events of one run, got runs {sorted(runs)}", FRAGMENTS
        )
    folder = as_folder(root)
    name = f"{FRAGMENTS}/{events[0].run_id}/{_file_name(events[0].event_id)}"
    folder.put(name, sealed_bytes(events_to_table(events)))
    return f"{folder}/{name}"


def read_fragments(
    root: Root,
    *,
    known: Collection[str] = (),
    run_id: str = "",
    damaged: Callable[[DamagedError], object] | None = None,
) -> list[Event]:
    """Return the events of all fragments, each id once.

    The order is by run, then attempt, then phase (start, results, end), then step.

    Args:
        root: Folder of the sweep.
        known: Ids of events in the ledger; they are left out. A fragment whose first event is among
            them is not opened, as its events are committed together.
        run_id: Only the fragments of this run; empty for all.
        damaged: Called for each damaged fragment, which is then set aside. The end of its run is
            set aside too, if it is new: the run is made again, since a result of it is lost.

    Raises:
        DamagedError: If a fragment is damaged and `damaged` is None.
        StorageError: If storage refuses access.
    """
    folder = as_folder(root)
    seen = frozenset(known)
    files = {_file_name(each) for each in seen}
    found: dict[str, list[Event]] = {}
    broken: set[str] = set()
    for name in _names(folder, run_id):
        if name.rpartition("/")[2] in files:
            continue
        try:
            found[name] = _read(folder, name)
        except DamagedError as error:
            if damaged is None:
                raise
            set_aside(folder, name)
            broken.add(_run_of(name))
            damaged(error)
    fresh: dict[str, Event] = {}
    for name, events in found.items():
        for event in _without_end(folder, name, events) if _run_of(name) in broken else events:
            if event.event_id not in seen:
                fresh.setdefault(event.event_id, event)
    return sorted(fresh.values(), key=lambda e: (e.run_id, e.attempt, _phase(e.kind), e.step))


def _without_end(folder: Folder, name: str, events: list[Event]) -> list[Event]:
    """Return the events without the end of a run; set the fragment aside if it has the end."""
    kept = [e for e in events if e.kind not in _LAST]
    if len(kept) < len(events):
        set_aside(folder, name)
    return kept


def _run_of(name: str) -> str:
    return name.split("/")[1]


def _names(folder: Folder, run_id: str) -> list[str]:
    names = folder.names(f"{FRAGMENTS}/{run_id}" if run_id else FRAGMENTS)
    return [name for name in names if name.endswith(".arrow") and name.count("/") == 2]


def _read(folder: Folder, name: str) -> list[Event]:
    where = f"{folder}/{name}"
    hint = (
        "`paretoflow resume` sets it aside and makes its run again; or restore it from a copy, or "
        "move it out of the folder"
    )
    try:
        content = folder.read(name)
    except FileNotFoundError as error:
        raise DamagedError(
            "the fragment cannot be read: it is gone", where, hint, code="damaged-gone"
        ) from error
    table = unsealed_table(content, where, hint)
    _require_version(table.schema.metadata, where, hint)
    try:
        events = table_to_events(table)
        events_to_table(events)  # events that cannot be committed are damaged too
    except SchemaVersionError as error:
        raise SchemaVersionError(error.what, where, error.hint) from error
    except LedgerError as error:
        raise DamagedError(f"the fragment is damaged: {error.what}", where, hint) from error
    path = name.split("/")
    if not events or _file_name(events[0].event_id) != path[2] or _runs(events) != {path[1]}:
        raise DamagedError("the fragment is damaged: its name is of other events", where, hint)
    return events


def _require_version(metadata: dict[bytes, bytes] | None, where: str, hint: str) -> None:
    text = (metadata or {}).get(b"paretoflow.schema_version", str(SCHEMA_VERSION).encode())
    if not text.isdigit():
        raise DamagedError("the fragment is damaged: its version is no number", where, hint)
    if int(text) > SCHEMA_VERSION:
        raise SchemaVersionError(
            f"written with schema version {int(text)}; this ParetoFlow reads up to "
            f"{SCHEMA_VERSION}",
            where,
            "use the same version of paretoflow on every machine",
        )


def _runs(events: Sequence[Event]) -> set[str]:
    return {e.run_id for e in events}


def _file_name(event_id: str) -> str:
    """Return a name that any storage accepts and that differs for different ids."""
    return f"{re.sub(r'[^A-Za-z0-9-]+', '_', event_id)[:80]}-{digest_of(event_id)[:12]}.arrow"


def _phase(kind: EventKind) -> int:
    if kind in _FIRST:
        return 0
    return 2 if kind in _LAST else 1
