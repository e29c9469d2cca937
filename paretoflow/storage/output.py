"""Writes output files and folders of a user atomically, on any disk.

Output is written beside its place until it is complete, under a name that is always short. An error
names the place and the remedy; an interrupt leaves nothing.
"""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paretoflow.core.errors import StorageError
from paretoflow.storage.durable import write_durably

_HINTS = {
    errno.ENOSPC: "free some space, or name another place",
    errno.EDQUOT: "free some of your quota, or name another place",
    errno.EROFS: "it is mounted for reading only: name another place",
    errno.EACCES: "check its permissions and those of its folder, or name another place",
    errno.EPERM: "check its permissions and those of its folder, or name another place",
    errno.EISDIR: "it is a folder: name a file",
    errno.ENOTDIR: "a part of the path is a file: name another place",
    errno.EEXIST: "a part of the path is a file: name another place",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.ENOENT: "check how it is spelt",
    errno.ELOOP: "its links lead in a circle: name another place",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}

_MARK = ".paretoflow-"
"""Prefix of the name of incomplete output."""


def output_error(error: OSError, place: str, what: str = "cannot be written") -> StorageError:
    """Return the error to show for an error of the operating system at a place."""
    hint = _HINTS.get(error.errno or 0, "check the disk and its permissions, or name another place")
    reason = (error.strerror or str(error) or type(error).__name__).partition(". Detail:")[0]
    return StorageError(f"{what}: {reason}", place, hint, code="storage-refused")


@contextmanager
def output_errors(place: Path) -> Iterator[None]:
    """Convert errors of the operating system in the block into `StorageError`.

    The error names `place`, or the file that the operating system names.

    Raises:
        StorageError: For any `OSError`.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        named = "" if error.filename is None else os.fsdecode(error.filename)
        # incomplete output has a temporary name, which is of no use to a user
        other = named and _MARK not in named
        if not other or Path(named) in (place, *place.parents):
            raise output_error(error, named if other else str(place)) from error
        raise output_error(error, named, "the system refuses") from error


def write_file(path: Path, content: bytes, *, parents: bool = True) -> None:
    """Write a file, or replace an existing one.

    A link is followed; a device or a pipe is written to directly. `parents` makes missing parent
    folders.

    Raises:
        StorageError: If the file cannot be written; an existing file is unchanged then.
    """
    with output_errors(path):
        target = Path(os.path.realpath(path))  # unlike resolve, it leaves a loop to the system
        if target.exists() and not target.is_file():
            target.write_bytes(content)
            return
        if parents:
            target.parent.mkdir(parents=True, exist_ok=True)
        temporary = _beside(target)
        try:
            write_durably(temporary, content)
            if target.exists():
                shutil.copymode(target, temporary)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `out` at the end of the block; make its parents.

    An existing folder is removed once the new one is in its place; the caller decides whether that
    is allowed. All users that the umask allows may read the files.

    Raises:
        StorageError: If the folder cannot be written; an existing folder is unchanged then.
    """
    out = Path(os.path.abspath(out))  # noqa: PTH100 - links on the way are the user's, but must not be resolved
    with output_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        stage = _beside(out)
        try:
            stage.mkdir()
            yield stage
            _open_to_readers(stage)
            _swap(stage, out)
        finally:
            shutil.rmtree(stage, ignore_errors=True)


def _beside(path: Path) -> Path:
    return path.with_name(f"{_MARK}{uuid.uuid4().hex[:12]}.tmp")


def _open_to_readers(folder: Path) -> None:
    """Give everything below a new folder the mode of a new file: some libraries write 0600."""
    readable = folder.stat().st_mode & 0o777  # as the umask made it
    for path in folder.rglob("*"):
        if path.is_symlink():
            continue
        runs = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(readable if runs else readable & 0o666)


def _swap(stage: Path, out: Path) -> None:
    """Move a complete folder to its place; remove an earlier one only after that."""
    if not out.exists():
        stage.rename(out)
        return
    old = _beside(out)
    out.rename(old)
    try:
        stage.rename(out)
    except BaseException:
        old.rename(out)
        raise
    shutil.rmtree(old)
