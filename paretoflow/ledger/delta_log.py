"""What surrounds a Delta table on disk: errors in plain words, log checked, commits flushed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake.exceptions import DeltaError

from paretoflow.core.errors import LedgerError
from paretoflow.storage.durable import sync_path

CHECKPOINT_HINT = (
    "if a power cut tore the newest *.checkpoint.parquet in _delta_log, remove it together with "
    "_last_checkpoint: the log entries beside them hold everything"
)


@contextmanager
def storage_errors(
    folder: Path, hint: str = "check free space and permissions, then run again"
) -> Iterator[None]:
    """Turn what Delta, Arrow and the operating system raise into a `LedgerError`."""
    try:
        yield
    except (DeltaError, OSError, pa.ArrowException) as error:
        # delta-rs appends its own backtrace, line by line
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise LedgerError(f"storage failed: {reason}", str(folder), hint) from error


def _log_entry(folder: Path, version: int) -> Path:
    return folder / "_delta_log" / f"{version:020d}.json"


def refuse_torn_tail(folder: Path) -> None:
    """Refuse a table whose last commit is not whole; delta-rs reads some of these as empty.

    Raises:
        LedgerError: If the last log entry is cut short, or cannot be read.
    """
    names = sorted(p.name for p in (folder / "_delta_log").glob("*.json") if p.stem.isdigit())
    path = folder / "_delta_log" / names[-1] if names else folder
    try:
        actions = [json.loads(line) for line in path.read_bytes().splitlines()]
        torn = not _is_whole(actions)
    except (ValueError, StopIteration):
        torn = True
    except OSError as error:
        raise LedgerError(f"cannot read the log: {error.strerror}", str(path)) from error
    if torn:
        raise LedgerError(
            "the last entry of the log was cut short, as by a power cut",
            str(path),
            "move this file out of the folder and run again: with fsync on, it was never confirmed",
        )


def _is_whole(actions: list[dict[str, Any]]) -> bool:
    """Tell a commit cut between two lines from a whole one by what its first line announces."""
    info = next(a["commitInfo"] for a in actions if "commitInfo" in a)
    metrics = info.get("operationMetrics", {})
    # delta-rs spells them one way for appends and another for compactions
    added = metrics.get("num_added_files", metrics.get("numFilesAdded", 0))
    removed = metrics.get("num_removed_files", metrics.get("numFilesRemoved", 0))
    found = [sum(name in a for a in actions) for name in ("add", "remove", "txn")]
    return found[:2] == [added, removed] and (info["operation"] != "WRITE" or found[2] >= 2)


def sync_commit(folder: Path, version: int) -> None:
    """Flush one commit: its data files, log entry and checkpoint, and the folders they are in."""
    entry = _log_entry(folder, version)
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
