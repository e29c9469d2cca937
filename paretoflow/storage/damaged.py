"""Sets damaged files aside; they are never deleted."""

from __future__ import annotations

from paretoflow.storage.folder import Folder

SUFFIX = ".damaged"
"""Suffix of a file that was set aside."""


def set_aside(folder: Folder, name: str) -> None:
    """Rename a file, so that nothing reads it.

    Raises:
        StorageError: If storage refuses access.
    """
    try:
        content = folder.read(name)
    except FileNotFoundError:
        return
    folder.write(f"{name}{SUFFIX}", content)
    folder.delete(name)
