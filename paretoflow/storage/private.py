"""Private folders outside a sweep, whose files are trusted later.

Reading a trainer's state runs code in it, so no other user may have written it. Names in the
temporary folder can be guessed, and belong to the first user who creates them.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from paretoflow.core.errors import UserError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def scratch_folder() -> Path:
    """Return this user's folder in the temporary folder, which TMPDIR sets.

    Raises:
        UserError: If the folder cannot be trusted; see `private_folder`.
    """
    return private_folder(Path(tempfile.gettempdir()) / f"paretoflow-{os.getuid()}")


def private_folder(path: Path) -> Path:
    """Return a folder that only this user may enter; create it if it does not exist.

    If it belongs to this user and others may read it, their access is removed.

    Raises:
        UserError: If it is a link or no folder, belongs to another user, or others could write to
            it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise _refused(f"it cannot be made: {error.strerror}", path) from error
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise _refused("it is a link", path)
    if not stat.S_ISDIR(found.st_mode):
        raise _refused("it is no folder", path)
    if found.st_uid != os.getuid():
        raise _refused(f"it belongs to another user (uid {found.st_uid})", path)
    if found.st_mode & _OTHERS_WRITE:
        raise _refused("other users can write into it", path)
    if found.st_mode & _OTHERS:
        path.chmod(0o700)
    return path


def _refused(why: str, path: Path) -> UserError:
    return UserError(
        f"the folder for this machine's private copies is not to be trusted: {why}",
        str(path),
        "remove it, or set TMPDIR (XDG_CACHE_HOME for exports) to a folder of your own",
    )
