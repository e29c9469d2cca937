"""A request to stop, left in the sweep's folder: it needs no connection to the cluster."""

from __future__ import annotations

import getpass
import json
import socket
import time

from paretoflow.storage import Folder

STOP_FILE = "stop.json"
LOOK_EVERY_S = 2.0


def request_stop(folder: Folder) -> None:
    """Ask the driver of a sweep, wherever it runs, to save open runs and stop."""
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    folder.write(STOP_FILE, json.dumps({"by": who, "time_s": time.time()}).encode())


class StopWatch:
    """Looks for a request now and then; one from before this driver's start is forgotten."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._next_s = 0.0
        folder.delete(STOP_FILE)

    def asked(self) -> str:
        """Return who asked the sweep to stop; empty while nobody did."""
        if time.monotonic() < self._next_s:
            return ""
        self._next_s = time.monotonic() + LOOK_EVERY_S
        if not self._folder.exists(STOP_FILE):
            return ""
        return f"stopped by {json.loads(self._folder.read(STOP_FILE))['by']}"
