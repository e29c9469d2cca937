"""Process between a worker and its program or server, so that neither outlives the worker.

It runs as a script of the standard library alone, leader of a process group of its own:

    python -I -S guard.py PROGRAM [ARGUMENT …]

Standard input is the worker's lifeline: when it closes, the worker is gone, and the whole group is
killed. SIGTERM is passed on to the program alone, which decides about its children. The guard ends
as the program did, with its status or by its signal.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

GUARD = Path(__file__)


def guard(argv: Sequence[str]) -> int:
    """Run a program to its end; return its status, negative for the signal that ended it."""
    program = subprocess.Popen(argv, stdin=subprocess.DEVNULL)

    def pass_on(*_: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(program.pid, signal.SIGTERM)

    signal.signal(signal.SIGTERM, pass_on)
    threading.Thread(target=_follow, daemon=True).start()
    return program.wait()


def end_as(status: int) -> None:
    """End this process with a status in the form of `Popen.returncode`."""
    if status < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the program's own dump is enough
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


def _follow() -> None:
    """Kill the group when the lifeline closes."""
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    end_as(guard(sys.argv[1:]))
