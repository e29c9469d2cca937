"""Writes files that survive a power cut: flushes the file, then its folder."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from paretoflow.core.errors import StorageError


def sync_path(path: Path) -> None:
    """Flush a file or a folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: Path) -> None:
    """Make a folder with its parents durably: flush each parent."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync_path(path.parent)


def write_durably(path: Path, content: bytes) -> None:
    """Write a file and flush it; a failure may leave a part of it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def put_if_absent(path: Path, content: bytes) -> bool:
    """Write a file that appears complete or not at all; do not change an existing one.

    A hard link, unlike a rename, fails if the name exists, so that only one of two writers wins.

    Returns:
        True if this call wrote the file.

    Raises:
        StorageError: If the file system has no hard links.
    """
    if path.exists():
        return False
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        write_durably(temporary, content)
        return _link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def require_hard_links(folder: Path) -> None:
    """Refuse a folder whose file system has no hard links: files could not be put atomically.

    Raises:
        StorageError: If the file system has no hard links.
    """
    probe = folder / f".probe-{uuid.uuid4().hex}"
    try:
        put_if_absent(probe, b"")
    finally:
        probe.unlink(missing_ok=True)


def _link(temporary: Path, path: Path) -> bool:
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as error:
        if not path.parent.is_dir():
            raise
        raise StorageError(
            f"this storage cannot put if absent: no hard link of a file ({error.strerror})",
            str(path.parent),
            "keep the sweep on a local disk or an NFS mount that supports hard links",
            code="storage-no-put-if-absent",
        ) from error
    sync_path(path.parent)
    return True
