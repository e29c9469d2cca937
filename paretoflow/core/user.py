"""Name and home folder of the user; a user id in a container may have neither."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

from paretoflow.core.errors import UserError


def user_name() -> str:
    """Return the user's name, or `uid1000` for a user without one."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return f"uid{os.getuid()}"


def home_path(text: str) -> Path:
    """Return a path whose `~` is replaced by the home folder.

    Raises:
        UserError: If the user has no home folder.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise UserError(
            f"user {user_name()} has no home folder",
            text,
            "write the whole path, or set HOME",
            code="usage-missing-file",
        ) from None
