"""Files of a table that nobody opens any more: merged into another, or of commits that lost."""

from __future__ import annotations

from collections.abc import Sequence

from paretoflow.core.errors import StorageError
from paretoflow.ledger.delta_log import LOG
from paretoflow.storage import Folder

CHECKPOINTS_KEPT = 2
"""The newest is read; the one before it may just be."""


def table_files(folder: Folder) -> list[str]:
    """Return the names of a table's data files, and of its checkpoints but the newest ones."""
    names = [name for name in folder.names() if name.endswith(".parquet")]
    checkpoints = [name for name in names if name.startswith(f"{LOG}/")]
    return [n for n in names if "/" not in n] + checkpoints[:-CHECKPOINTS_KEPT]


def remove_dead_files(folder: Folder, names: Sequence[str]) -> None:
    """Remove files; what storage refuses to remove stays until the next time."""
    for name in names:
        try:
            folder.delete(name)
        except StorageError:
            return
