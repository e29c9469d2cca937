"""Dead files of a table: merged into another file, or written for commits that failed."""

from __future__ import annotations

from collections.abc import Sequence

from paretoflow.core.errors import StorageError
from paretoflow.ledger.delta_log import LOG
from paretoflow.storage import Folder

CHECKPOINTS_KEPT = 2
"""Number of checkpoints kept: readers use the newest, or may still be reading the one before."""


def table_files(folder: Folder) -> list[str]:
    """Return the names of a table's data files, and of its checkpoints except the newest ones."""
    names = [name for name in folder.names() if name.endswith(".parquet")]
    checkpoints = [name for name in names if name.startswith(f"{LOG}/")]
    return [n for n in names if "/" not in n] + checkpoints[:-CHECKPOINTS_KEPT]


def remove_dead_files(folder: Folder, names: Sequence[str]) -> None:
    """Remove files; if storage refuses, the remaining files stay until the next time."""
    for name in names:
        try:
            folder.delete(name)
        except StorageError:
            return
