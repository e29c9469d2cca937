"""Reads files of an export that anybody may have made: plain ones, inside it, no larger than asked.

A link in any part of a path is not followed, and neither a pipe nor a device is opened, since they
would lead elsewhere or never end.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path, PurePosixPath

from paretoflow.core.errors import ExportError

LARGEST_TEXT = 64 << 20
"""Bytes of a manifest: millions of files would fit."""
LARGEST_TABLE = 2 << 30
LARGEST_FILE = 1 << 40
"""Bytes of any file: larger than any weights in one piece."""
MOST_FILES = 200_000


@contextmanager
def opened(out: Path, name: str, most: int) -> Iterator[BufferedReader]:
    """Open a plain file of an export for reading.

    Args:
        out: The export's folder.
        name: Path of the file in it, with `/`.
        most: Bytes that it may have.

    Raises:
        ExportError: If it is no plain file, behind a link, or larger.
        OSError: If the system refuses.
    """
    place = out
    for part in PurePosixPath(name).parts:
        place = place / part
        if place.is_symlink():
            raise ExportError("is a link, an export has none", str(place), code="export-damaged")
    # not waiting, since a pipe without a writer would be waited for here already
    handle = os.open(out / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as stream:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise ExportError("is no plain file", str(out / name), code="export-damaged")
        if found.st_size > most:
            what = f"has {found.st_size:,} bytes; allowed: {most:,}"
            raise ExportError(what, str(out / name), "export it again", code="export-damaged")
        yield stream


def content_of(out: Path, name: str, most: int) -> bytes:
    """Return what is in a file of an export; see `opened`."""
    with opened(out, name, most) as stream:
        return stream.read(most)


def digest_in(out: Path, name: str) -> str:
    """Return the SHA-256 of a file of an export, read piece by piece; see `opened`."""
    with opened(out, name, LARGEST_FILE) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder_digest(files: Mapping[str, str], folder: str) -> str:
    """Return the digest of a folder of an export, as `digest_of_folder` would give it.

    Args:
        files: SHA-256 of the export's files, by path.
        folder: Its path in the export.
    """
    inside = f"{folder}/"
    below = {PurePosixPath(n.removeprefix(inside)): n for n in files if n.startswith(inside)}
    total = hashlib.sha256()
    for path, name in sorted(below.items()):
        total.update(path.as_posix().encode() + b"\0")
        total.update(bytes.fromhex(files[name]))
    return total.hexdigest()
