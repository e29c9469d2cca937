"""Files and folders that a user asks for by name: whole or not at all, on any disk.

What is written lies beside its place until it is whole, under a name that is short whatever the
place is called. A failure names the place and what to do; an interrupt leaves nothing.
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
"""Begins the name of what is not whole yet."""


def output_error(error: OSError, place: str, what: str = "cannot be written") -> StorageError:
    """Return the error to show for what the operating system refused at a place."""
    hint = _HINTS.get(error.errno or 0, "check the disk and its permissions, or name another place")
    reason = (error.strerror or str(error) or type(error).__name__).partition(". Detail:")[0]
    return StorageError(f"{what}: {reason}", place, hint, code="storage-refused")


@contextmanager
def output_errors(place: Path) -> Iterator[None]:
    """Say plainly what the operating system refused in the block, here or at a file it names.

    Raises:
        StorageError: For whatever it was.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        named = "" if error.filename is None else os.fsdecode(error.filename)
        # what is written has a name of its own until it is whole, which tells a user nothing
        other = named and _MARK not in named
        if not other or Path(named) in (place, *place.parents):
            raise output_error(error, named if other else str(place)) from error
        raise output_error(error, named, "the system refuses") from error


def write_file(path: Path, content: bytes, *, parents: bool = True) -> None:
    """Write a file over the one that is there, if any.

    A link is followed, and a device or a pipe is written to as it is. `parents` says whether
    folders above it are made.

    Raises:
        StorageError: If it cannot be written; what was there is as it was.
    """
    with output_errors(path):
        target = Path(os.path.realpath(path))  # which, unlike resolve, leaves a loop to the system
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
    """Yield an empty folder that becomes `out` at the end of the block; parents are made.

    A folder that is there goes once the new one is in its place: whether it may is the caller's to
    decide. Everybody whom the umask lets may read what was written.

    Raises:
        StorageError: If it cannot be written; what was there is as it was.
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
    """Put a whole folder in place; an earlier one goes only once the new one is there."""
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
