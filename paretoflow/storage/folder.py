"""The contract of a place that sweeps live in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

from paretoflow.core.errors import StorageError
from paretoflow.core.user import home_path
from paretoflow.spec.uris import path_fault, path_of


class Folder(Protocol):
    """A folder, and the files below it under names with `/`, relative to it.

    Every write is whole or not there: a reader, or a process after a crash, never sees half a file.
    Equal by `place`; can be pickled; printed as its `uri`.
    """

    @property
    def uri(self) -> str:
        """Return the place as a user would type it: an absolute path, or `s3://bucket/prefix`."""
        ...

    @property
    def place(self) -> str:
        """Return the one name of the place, however it was called: links on the way are followed.

        Only for telling places apart: another machine may have other links.
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
            FileNotFoundError: If there is none.
            StorageError: If storage refuses, or does not answer for a long time.
        """
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write a file, in place of one that is there; durable when it returns."""
        ...

    def put(self, name: str, content: bytes) -> bool:
        """Write a file unless one of that name is there; return whether this call wrote it."""
        ...

    def exists(self, name: str) -> bool:
        """Return whether there is a file of that name."""
        ...

    def names(self, under: str = "") -> list[str]:
        """Return the names of all files below `under`, at any depth, sorted; none if there is none.

        Names that begin with a dot in their last part are left out: they are files half written.
        """
        ...

    def delete(self, name: str) -> None:
        """Remove a file, or all files below a name; do nothing where there is none."""
        ...

    def send(self, source: Path, name: str) -> None:
        """Copy a folder of this machine to a name; do nothing if it is there already, being it."""
        ...

    def fetch(self, name: str, to: Path) -> Path:
        """Return a folder on this machine with the content of a name.

        A local folder is returned as it is; from an object store it is copied to `to`.

        Raises:
            FileNotFoundError: If nothing is there.
        """
        ...


_MISSING_SLASH = re.compile(r"(?i)(s3|gs):/?[^/]")
"""How an address of an object store begins that would make a folder of that name here."""

Root = Folder | Path | str
"""How a caller may name a folder: itself, a path, or a path or URI as text."""


def as_folder(root: Root, patience_s: float | None = None) -> Folder:
    """Return the folder at a path or a URI (`s3://`, `gs://`, `file://`).

    Args:
        root: Path, URI, or a folder.
        patience_s: Seconds to ask an object store that does not answer; by default minutes, or
            what the folder that was given has.

    Raises:
        StorageError: If the scheme is none that sweeps can live in.
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
    """Return the one name of a place, however it was called; see `Folder.place`."""
    scheme, found, rest = path_of(uri).partition("://")
    if found:
        return f"{scheme}://{'/'.join(part for part in rest.split('/') if part)}"
    return str(home_path(path_of(uri)).resolve())


def require_sweep_path(folder: Folder) -> None:
    """Refuse a path that the ledger could not be read back from, before anything is written there.

    Raises:
        StorageError: If it is one.
    """
    what, hint = path_fault(folder.uri) if folder.local is not None else ("", "")
    if what:
        what = f"no sweep can live there: {what}"
        raise StorageError(what, hint=hint, code="storage-address")


def file_at(path: Path | str) -> tuple[Folder, str]:
    """Return the folder that a file's path or URI names, and the file's name in it."""
    parent, _, name = str(path).rpartition("/")
    return as_folder(parent), name
