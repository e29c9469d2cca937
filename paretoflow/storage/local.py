"""A folder on a local disk or an NFS mount."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

from paretoflow.storage.durable import make_folder, put_if_absent, sync_path


class LocalFolder:
    """See `Folder` for the contract.

    Args:
        path: The folder; it is made when something is first written.
    """

    def __init__(self, path: Path) -> None:
        self._path = Path(os.path.abspath(path))  # noqa: PTH100 - links on the way are the user's

    def __repr__(self) -> str:
        return self.uri

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LocalFolder) and other.uri == self.uri

    def __hash__(self) -> int:
        return hash(self.uri)

    @property
    def uri(self) -> str:
        """Return the absolute path."""
        return str(self._path)

    @property
    def local(self) -> Path:
        """Return the absolute path."""
        return self._path

    def below(self, name: str) -> LocalFolder:
        """Return the folder of a name below this one."""
        return LocalFolder(self._path / name)

    def read(self, name: str) -> bytes:
        """Return the content of a file."""
        return (self._path / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Write a file by a rename over the one that is there."""
        path = self._path / name
        make_folder(path.parent)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_path(path.parent)

    def put(self, name: str, content: bytes) -> bool:
        """Write a file unless one is there, by a hard link."""
        path = self._path / name
        make_folder(path.parent)
        return put_if_absent(path, content)

    def exists(self, name: str) -> bool:
        """Return whether there is a file of that name."""
        return (self._path / name).is_file()

    def names(self, under: str = "") -> list[str]:
        """Return the names of all whole files below `under`, sorted."""
        return sorted(
            p.relative_to(self._path).as_posix()
            for p in (self._path / under).rglob("*")
            if p.is_file() and not p.name.startswith(".")
        )

    def delete(self, name: str) -> None:
        """Remove a file or a folder."""
        path = self._path / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def send(self, source: Path, name: str) -> None:
        """Copy a folder, unless it lies there already; whole or not at all."""
        target = self._path / name
        if source.resolve() == target.resolve():
            return
        make_folder(target.parent)
        temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
        shutil.copytree(source, temporary)
        if target.exists():
            shutil.rmtree(target)
        temporary.rename(target)

    def fetch(self, name: str, to: Path) -> Path:
        """Return the path of a folder below this one; nothing is copied."""
        path = self._path / name
        if not path.is_dir():
            raise FileNotFoundError(path)
        return path
