"""The contract of a folder in which sweeps are stored."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

from paretoflow.core.errors import StorageError
from paretoflow.core.user import home_path
from paretoflow.spec.uris import path_fault, path_of


class Folder(Protocol):
    """A folder, and the files below it under names with `/`, relative to it.

    Every write is atomic: a reader, or a process after a crash, never sees half a file. Folders are
    equal by `place`, can be pickled, and are printed as their `uri`.
    """

    @property
    def uri(self) -> str:
        """Return the address as a user types it: an absolute path, or `s3://bucket/prefix`."""
        ...

    @property
    def place(self) -> str:
        """Return the canonical address, with all links followed.

        Use it only to compare folders: another machine may have other links.
        """
        ...

    @property
    def local(self) -> Path | None:
        """Return the folder's path on this machine; None in an object store."""
        ...

    def below(self, name: str) -> Folder:
        """Return the folder of a name below this one; it need not exist."""
        ...

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            FileNotFoundError: If the file does not exist.
            StorageError: If storage refuses access, or does not answer for a long time.
        """
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write a file, or replace an existing one; durable when it returns."""
        ...

    def put(self, name: str, content: bytes) -> bool:
        """Write a file unless one of that name exists; return whether this call wrote it."""
        ...

    def exists(self, name: str) -> bool:
        """Return whether there is a file of that name."""
        ...

    def names(self, under: str = "") -> list[str]:
        """Return the names of all files below `under`, at any depth, sorted.

        Names that begin with a dot in their last part are left out: they are incomplete files.
        """
        ...

    def delete(self, name: str) -> None:
        """Remove a file, or all files below a name; do nothing if there is none."""
        ...

    def send(self, source: Path, name: str) -> None:
        """Copy a folder of this machine to a name; do nothing if it already is that folder."""
        ...

    def fetch(self, name: str, to: Path) -> Path:
        """Return a folder on this machine with the content of a name.

        A local folder is returned in place; from an object store it is copied to `to`.

        Raises:
            FileNotFoundError: If the name does not exist.
        """
        ...


_MISSING_SLASH = re.compile(r"(?i)(s3|gs):/?[^/]")
"""Beginning of a mistyped object-store address, which would make a local folder of that name."""

Root = Folder | Path | str
"""A folder, given as itself, as a path, or as text with a path or URI."""


def as_folder(root: Root, patience_s: float | None = None) -> Folder:
    """Return the folder at a path or a URI (`s3://`, `gs://`, `file://`).

    Args:
        root: Path, URI, or a folder.
        patience_s: Seconds to retry when an object store does not answer; by default minutes, or
            the value of a given folder.

    Raises:
        StorageError: If the scheme is not supported.
    """
    from paretoflow.storage.local import LocalFolder

    if not isinstance(root, str | Path) and (root.local is not None or patience_s is None):
        return root
    text = path_of(str(root))
    if text.lower().startswith("file:") or _MISSING_SLASH.match(text):
        what, hint = path_fault(text)
        raise StorageError(what, text, hint, code="storage-address")
    if "://" not in text:
        return LocalFolder(home_path(text))
    from paretoflow.storage.objects import ObjectFolder

    return ObjectFolder(text, patience_s)


def place_of(uri: str) -> str:
    """Return the canonical address of a path or URI; see `Folder.place`."""
    scheme, found, rest = path_of(uri).partition("://")
    if found:
        return f"{scheme}://{'/'.join(part for part in rest.split('/') if part)}"
    return str(home_path(path_of(uri)).resolve())


def require_sweep_path(folder: Folder) -> None:
    """Refuse a path from which the ledger could not be read, before anything is written there.

    Raises:
        StorageError: If the path is such a path.
    """
    what, hint = path_fault(folder.uri) if folder.local is not None else ("", "")
    if what:
        what = f"no sweep can live there: {what}"
        raise StorageError(what, hint=hint, code="storage-address")


def file_at(path: Path | str) -> tuple[Folder, str]:
    """Return the folder of a file's path or URI, and the file's name in it."""
    parent, _, name = str(path).rpartition("/")
    return as_folder(parent), name
