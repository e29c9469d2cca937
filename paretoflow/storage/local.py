"""A folder on a local disk or an NFS mount."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paretoflow.core.errors import StorageError
from paretoflow.storage.durable import make_folder, put_if_absent, sync_path, write_durably
from paretoflow.storage.patience import disk_error


class LocalFolder:
    """See `Folder` for the contract.

    Args:
        path: The folder; the first write creates it.
    """

    def __init__(self, path: Path) -> None:
        self._path = Path(os.path.abspath(path))  # noqa: PTH100 - links on the way are the user's

    def __repr__(self) -> str:
        return self.uri

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LocalFolder) and other.place == self.place

    def __hash__(self) -> int:
        return hash(self.place)

    @property
    def uri(self) -> str:
        """Return the absolute path."""
        return str(self._path)

    @property
    def place(self) -> str:
        """Return the absolute path without links."""
        return os.path.realpath(self._path)

    @property
    def local(self) -> Path:
        """Return the absolute path."""
        return self._path

    def below(self, name: str) -> LocalFolder:
        """Return the folder of a name below this one."""
        return LocalFolder(self._path / name)

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        path = self._path / name
        with _disk_errors(path):
            try:
                return path.read_bytes()
            except (IsADirectoryError, NotADirectoryError) as error:
                raise FileNotFoundError(f"there is no file {path}") from error

    def write(self, name: str, content: bytes) -> None:
        """Write a file, by a rename over an existing one."""
        path = self._path / name
        with _disk_errors(path):
            make_folder(path.parent)
            temporary = _beside(path)
            try:
                write_durably(temporary, content)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
            sync_path(path.parent)

    def put(self, name: str, content: bytes) -> bool:
        """Write a file unless one exists, by a hard link."""
        path = self._path / name
        with _disk_errors(path):
            make_folder(path.parent)
            return put_if_absent(path, content)

    def exists(self, name: str) -> bool:
        """Return whether there is a file of that name."""
        with _disk_errors(self._path / name):
            return (self._path / name).is_file()

    def names(self, under: str = "") -> list[str]:
        """Return the names of all complete files below `under`, sorted."""
        with _disk_errors(self._path / under):
            # faster than pathlib: a long sweep has tens of thousands of fragments
            return sorted(
                f"{folder}/{name}" if folder else name
                for folder, files in self._walk(under)
                for name in files
                if not name.startswith(".")
            )

    def _walk(self, under: str) -> Iterator[tuple[str, list[str]]]:
        """Yield each folder below `under`, relative to this one, and the files in it."""
        for at, _, files in os.walk(self._path / under):
            folder = Path(at).relative_to(self._path).as_posix()
            yield "" if folder == "." else folder, files

    def delete(self, name: str) -> None:
        """Remove a file or a folder."""
        path = self._path / name
        with _disk_errors(path):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def send(self, source: Path, name: str) -> None:
        """Copy a folder, unless it already is that folder; completely or not at all."""
        target = self._path / name
        if source.resolve() == target.resolve():
            return
        with _disk_errors(target):
            make_folder(target.parent)
            temporary = _beside(target)
            try:
                shutil.copytree(source, temporary)
                for path in (*temporary.rglob("*"), temporary):
                    sync_path(path)
                shutil.rmtree(target, ignore_errors=True)
                temporary.rename(target)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
            sync_path(target.parent)

    def fetch(self, name: str, to: Path) -> Path:
        """Return the path of a folder below this one, without a copy."""
        path = self._path / name
        if not path.is_dir():
            raise FileNotFoundError(f"there is no folder {path}")
        return path


def _beside(path: Path) -> Path:
    """Return a name beside a path that readers ignore."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    """Convert errors of the operating system into `StorageError`, except a missing file."""
    try:
        yield
    except (FileNotFoundError, StorageError):
        raise
    except OSError as error:
        raise disk_error(error, str(path)) from error
