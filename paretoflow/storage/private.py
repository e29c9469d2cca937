"""Folders outside a sweep that are this user's alone: what lies there is trusted later.

A trainer's state is read with code in it, so nobody else may have put it there. Names in the
temporary folder can be guessed, and whoever comes first owns them.
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
    """Return this user's folder in the temporary one; TMPDIR says where that is.

    Raises:
        UserError: If something else has its name.
    """
    return private_folder(Path(tempfile.gettempdir()) / f"paretoflow-{os.getuid()}")


def private_folder(path: Path) -> Path:
    """Return a folder that this user alone may enter, made if it is not there.

    One of this user's that others may look into is closed to them.

    Raises:
        UserError: If it is a link or no folder, somebody else's, or others could write into it.
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
