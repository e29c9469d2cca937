"""Reads plain files of an untrusted export, inside its folder and up to a limit.

A link in any part of a path is not followed, and no pipe or device is opened, since they would lead
outside the export or never end.
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
"""Largest size of a manifest in bytes: enough for millions of files."""
LARGEST_TABLE = 2 << 30
LARGEST_FILE = 1 << 40
"""Largest size of any file in bytes: larger than any weights in one file."""
MOST_FILES = 200_000


@contextmanager
def opened(out: Path, name: str, most: int) -> Iterator[BufferedReader]:
    """Open a plain file of an export for reading.

    Args:
        out: The export's folder.
        name: Path of the file in it, with `/`.
        most: Largest allowed size in bytes.

    Raises:
        ExportError: If it is no plain file, behind a link, or larger.
        OSError: If the system cannot open it.
    """
    place = out
    for part in PurePosixPath(name).parts:
        place = place / part
        if place.is_symlink():
            raise ExportError("is a link, an export has none", str(place), code="export-damaged")
    # non-blocking, since opening a pipe without a writer would block
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
    """Return the content of a file of an export; see `opened`."""
    with opened(out, name, most) as stream:
        return stream.read(most)


def digest_in(out: Path, name: str) -> str:
    """Return the SHA-256 of a file of an export, read piece by piece; see `opened`."""
    with opened(out, name, LARGEST_FILE) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder_digest(files: Mapping[str, str], folder: str) -> str:
    """Return the digest of a folder of an export, equal to that of `digest_of_folder`.

    Args:
        files: SHA-256 of the export's files, by path.
        folder: Path of the folder in the export.
    """
    inside = f"{folder}/"
    below = {PurePosixPath(n.removeprefix(inside)): n for n in files if n.startswith(inside)}
    total = hashlib.sha256()
    for path, name in sorted(below.items()):
        total.update(path.as_posix().encode() + b"\0")
        total.update(bytes.fromhex(files[name]))
    return total.hexdigest()
