"""Finds damaged files of a table's log; used only after a check of the table failed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from paretoflow.core.errors import StorageError
from paretoflow.ledger.delta_log import LOG, NOT_AN_ENTRY, is_whole, log_entry
from paretoflow.storage import Folder

LAST_CHECKPOINT = f"{LOG}/_last_checkpoint"
DAMAGED = ".damaged"
"""Suffix of a file that was set aside."""
_ENTRY = re.compile(r"\d{20}\.json")
_CHECKPOINT = re.compile(r"\d{20}\.checkpoint(\.\d{10}\.\d{10})?\.parquet")
_POSITION = "paretoflow.position"


def heal_hint(folder: Folder) -> str:
    """Return a hint on how to repair a table, and on what to do if that fails."""
    sweep = folder.uri.removesuffix("/events").removesuffix("/fronts").removesuffix("/ledger")
    return (
        f"`paretoflow resume {sweep}` puts back what other data files or fragments still hold, "
        "and says so if they do not; else restore the folder from a copy"
    )


def suspect(folder: Folder) -> str | None:
    """Return the place of the first damaged file of a log; None if all seem intact."""
    try:
        name = next(damaged_checkpoints(folder), None) or next(damaged_entries(folder), None)
    except StorageError as error:
        return error.where or None
    return f"{folder}/{name}" if name else None


def damaged_entries(folder: Folder) -> Iterator[str]:
    """Yield the log entries that are gone, unreadable, or out of order, oldest first.

    An entry is out of order if its rows end before those of an earlier one: it was swapped or
    copied.
    """
    reached = -1
    for version in range(last_version(folder) + 1):
        name = log_entry(version)
        actions = entry_actions(folder, name)
        if actions is None:
            yield name
            continue
        position = _position(actions)
        adds = any("add" in a for a in actions) and not any("remove" in a for a in actions)
        if position is not None and (position < reached or (adds and position == reached)):
            yield name
        reached = max(reached, -1 if position is None else position)


def damaged_checkpoints(folder: Folder) -> Iterator[str]:
    """Yield the checkpoints that cannot be read."""
    for name in folder.names(LOG):
        if _CHECKPOINT.fullmatch(name.rpartition("/")[2]):
            try:
                pq.read_table(pa.BufferReader(folder.read(name)))
            except (pa.ArrowException, OSError, ValueError):
                yield name


def last_version(folder: Folder) -> int:
    """Return the number of the newest log entry; -1 if there is none."""
    names = [name.rpartition("/")[2] for name in folder.names(LOG)]
    return max((int(name[:20]) for name in names if _ENTRY.fullmatch(name)), default=-1)


def entry_actions(folder: Folder, name: str) -> list[dict[str, Any]] | None:
    """Return the actions of a log entry; None if it is gone or incomplete."""
    try:
        actions = [json.loads(line) for line in folder.read(name).splitlines()]
        return actions if is_whole(actions) else None
    except (FileNotFoundError, *NOT_AN_ENTRY):
        return None


def _position(actions: list[dict[str, Any]]) -> int | None:
    for action in actions:
        txn = action.get("txn")
        if isinstance(txn, dict) and txn.get("appId") == _POSITION:
            version = txn.get("version")
            return version if isinstance(version, int) else None
    return None
