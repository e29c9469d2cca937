"""A request to stop, written into the sweep's folder: it needs no connection to the cluster."""

from __future__ import annotations

import json
import socket
import time

from paretoflow.core.errors import StorageError
from paretoflow.core.user import user_name
from paretoflow.storage import Folder, as_folder

STOP_FILE = "stop.json"
LOOK_EVERY_S = 2.0
PATIENCE_S = 1.0
"""Longest time that a driver waits for storage when it reads a request, in seconds."""


def request_stop(folder: Folder) -> None:
    """Request the driver of a sweep, wherever it runs, to save open runs and stop."""
    who = f"{user_name()}@{socket.gethostname()}"
    folder.write(STOP_FILE, json.dumps({"by": who, "time_s": time.time()}).encode())


class StopRequest:
    """Reads the request at intervals; a request from before this driver's start is deleted."""

    def __init__(self, folder: Folder) -> None:
        self._folder = as_folder(folder, PATIENCE_S)
        self._next_s = 0.0
        folder.delete(STOP_FILE)

    def asked(self) -> str:
        """Return the origin of a request to stop; empty while there is none."""
        if time.monotonic() < self._next_s:
            return ""
        self._next_s = time.monotonic() + LOOK_EVERY_S
        try:
            if not self._folder.exists(STOP_FILE):
                return ""
            return f"stopped by {_who(self._folder.read(STOP_FILE))}"
        except (
            StorageError,
            FileNotFoundError,
        ):  # read again soon; the ledger reports storage that stays away
            return ""


def _who(content: bytes) -> str:
    """Return the origin of a request. The file itself is the request, even if it names nobody.

    A user made it to stop costs, and a stopped sweep can be resumed.
    """
    try:
        request = json.loads(content)
    except (ValueError, RecursionError):
        request = None
    who = request.get("by") if isinstance(request, dict) else None
    return who if isinstance(who, str) and who else f"a {STOP_FILE} that names nobody"
