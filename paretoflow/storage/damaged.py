"""What is done with a file that is not whole: it is put out of the way, never thrown away."""

from __future__ import annotations

from paretoflow.storage.folder import Folder

SUFFIX = ".damaged"
"""Ends the name of a file that was set aside."""


def set_aside(folder: Folder, name: str) -> None:
    """Give a file another name, under which nothing reads it.

    Raises:
        StorageError: If storage refuses.
    """
    try:
        content = folder.read(name)
    except FileNotFoundError:
        return
    folder.write(f"{name}{SUFFIX}", content)
    folder.delete(name)
