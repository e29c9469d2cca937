"""A request to stop, left in the sweep's folder: it needs no connection to the cluster."""

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
"""Seconds that a driver waits for storage to say whether there is a request."""


def request_stop(folder: Folder) -> None:
    """Ask the driver of a sweep, wherever it runs, to save open runs and stop."""
    who = f"{user_name()}@{socket.gethostname()}"
    folder.write(STOP_FILE, json.dumps({"by": who, "time_s": time.time()}).encode())


class StopRequest:
    """Looks for a request now and then; one from before this driver's start is forgotten."""

    def __init__(self, folder: Folder) -> None:
        self._folder = as_folder(folder, PATIENCE_S)
        self._next_s = 0.0
        folder.delete(STOP_FILE)

    def asked(self) -> str:
        """Return who asked the sweep to stop; empty while nobody did."""
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
        ):  # asked again soon; the ledger tells of storage that stays away
            return ""


def _who(content: bytes) -> str:
    """Return who asked. That the file is there is the request: one that names nobody counts too.

    Somebody made it to stop what costs money, and a stopped sweep goes on where it was.
    """
    try:
        request = json.loads(content)
    except (ValueError, RecursionError):
        request = None
    who = request.get("by") if isinstance(request, dict) else None
    return who if isinstance(who, str) and who else f"a {STOP_FILE} that names nobody"
