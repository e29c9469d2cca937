"""Support of Delta tables in storage: translated errors, checks of the log, flushed commits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake.exceptions import DeltaError

from paretoflow.core.errors import DamagedError, LedgerError, StorageError
from paretoflow.storage import Folder
from paretoflow.storage.durable import sync_path
from paretoflow.storage.objects import ObjectFolder
from paretoflow.storage.patience import passes, storage_error

LOG = "_delta_log"
COMMIT_PATIENCE_S = 30.0
"""Seconds for which delta-rs repeats a failing request; Ctrl-C does not interrupt it meanwhile. The
driver itself retries for longer."""
ADDS_KEY, REMOVES_KEY = "paretoflow.adds", "paretoflow.removes"
"""Keys in the first line of a commit with the numbers of files that it adds and removes."""
CHECKPOINT_HINT = (
    "if a power cut tore the newest *.checkpoint.parquet in _delta_log, remove it together with "
    "_last_checkpoint, or let `paretoflow resume` do it: the log entries beside them hold "
    "everything"
)

NOT_AN_ENTRY = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,
    StopIteration,
)
"""Errors when reading a log entry that is no JSON or no commit."""

_MAKE = "CREATE TABLE"
_COLOURS = re.compile(r"\x1b\[\d*m|↳")
_LONGEST = 300


def delta_options(folder: Folder) -> dict[str, str] | None:
    """Return the storage options with which delta-rs accesses a folder."""
    if isinstance(folder, ObjectFolder):
        return folder.object_store_options(COMMIT_PATIENCE_S)
    return None


@contextmanager
def storage_errors(folder: Folder, hint: str = "") -> Iterator[None]:
    """Convert errors of Delta, Arrow and the operating system into `LedgerError`.

    A permanent refusal by an object store becomes a `StorageError`.
    """
    try:
        yield
    except StorageError as error:
        if not (isinstance(error.__cause__, OSError) and passes(error.__cause__)):
            raise
        # a driver that gets this error leaves its worker groups running
        raise LedgerError(
            f"storage failed: {error.what}", folder.uri, error.hint, code="ledger-storage"
        ) from error
    except (DeltaError, OSError, pa.ArrowException) as error:
        if folder.local is None and not passes(error):
            refused = storage_error(error, folder.uri, COMMIT_PATIENCE_S)
            if refused.hint:
                raise refused from error
        check = "free space and permissions" if folder.local else "the network and AWS_ENDPOINT_URL"
        hint = hint or f"check {check}, then run again: nothing that was confirmed is lost"
        raise LedgerError(
            f"storage failed: {_reason(error)}", folder.uri, hint, code="ledger-storage"
        ) from error


def _reason(error: Exception) -> str:
    """Return the coloured, multi-line message of delta-rs as one short line."""
    text = " ".join(_COLOURS.sub("", str(error)).split()) or type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def log_entry(version: int) -> str:
    """Return the name of a version's log entry below its table's folder."""
    return f"{LOG}/{version:020d}.json"


def refuse_torn_entry(folder: Folder, version: int | None = None) -> None:
    """Refuse a table with an incomplete last commit; delta-rs reads some of these as empty.

    Args:
        folder: Folder of the table.
        version: The last version; None looks for it.

    Raises:
        DamagedError: If its log entry is truncated or gone.
        StorageError: If it cannot be read.
    """
    name = log_entry(version) if version is not None else _last_entry(folder)
    try:
        actions = [json.loads(line) for line in folder.read(name).splitlines()]
        first = name == log_entry(0)
        torn = not is_whole(actions) or (
            not first and actions[0]["commitInfo"]["operation"] == _MAKE
        )
    except NOT_AN_ENTRY:
        torn = True
    except FileNotFoundError as error:
        raise DamagedError(
            "an entry of the log is gone", f"{folder}/{name}", code="damaged-gone"
        ) from error
    if torn:
        raise DamagedError(
            "the last entry of the log was cut short, as by a power cut, or replaced",
            f"{folder}/{name}",
            "move this file out of the folder and run again: with fsync on, it was never confirmed",
        )


def _last_entry(folder: Folder) -> str:
    names = [n for n in folder.names(LOG) if re.fullmatch(r"\d{20}\.json", n.rpartition("/")[2])]
    return names[-1] if names else LOG


def is_whole(actions: list[dict[str, Any]]) -> bool:
    """Return whether a commit has as many actions as its first line announces.

    Raises:
        Exception: A standard exception, if the actions are not those of a commit.
    """
    info = next(a["commitInfo"] for a in actions if "commitInfo" in a)
    metrics = info.get("operationMetrics", {})
    # delta-rs uses other keys for appends than for compactions
    added = metrics.get("num_added_files", metrics.get("numFilesAdded", 0))
    removed = metrics.get("num_removed_files", metrics.get("numFilesRemoved", 0))
    if ADDS_KEY in info:
        added, removed = int(info[ADDS_KEY]), int(info[REMOVES_KEY])
    found = [sum(name in a for a in actions) for name in ("add", "remove", "txn")]
    return found[:2] == [added, removed] and (info["operation"] != "WRITE" or found[2] >= 2)


def sync_commit(folder: Path, version: int) -> None:
    """Flush one commit: its data files, log entry and checkpoint, and their folders."""
    entry = folder / log_entry(version)
    for line in entry.read_bytes().splitlines():
        action = json.loads(line)
        if "add" in action:
            sync_path(folder / unquote(action["add"]["path"]))
    sync_path(entry)
    checkpoint = entry.with_suffix(".checkpoint.parquet")
    if checkpoint.exists():
        sync_path(checkpoint)
        sync_path(entry.with_name("_last_checkpoint"))
    sync_path(entry.parent)
    sync_path(folder)
