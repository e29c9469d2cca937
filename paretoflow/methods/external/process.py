"""Start, watch and end a program; independent of training.

The program runs in a process group of its own, with its files as its only outputs, and only the
documented part of the environment. The whole group ends with the watch: at the program's end, a
time limit, a stop, an error or the death of this process. A child that creates a session of its own
is not ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from paretoflow.core.guard import GUARD

POLL_S = 0.5
"""Seconds between two checks whether the program should stop."""
PASSED = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR",
    "VIRTUAL_ENV", "CONDA_PREFIX", "LD_LIBRARY_PATH", "XDG_CACHE_HOME", "OMP_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_HOME", "NVIDIA_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "HF_HOME", "HF_HUB_OFFLINE",
)  # fmt: skip
"""Variables that every program gets if they are set: none of them is a secret."""


class End(StrEnum):
    """Reason for the end of a program."""

    ITSELF = "itself"
    TIMEOUT = "timeout"
    STOPPED = "stopped"


@dataclass(frozen=True)
class ProgramCall:
    """A program to run.

    Args:
        argv: The program and its arguments.
        env: Its whole environment.
        logs: Existing folder for `stdout.log` and `stderr.log`.
        timeout_s: Seconds after which it is ended.
        grace_s: Seconds from SIGTERM to SIGKILL.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    logs: Path
    timeout_s: float
    grace_s: float


@dataclass(frozen=True)
class Ended:
    """End of a program.

    Args:
        status: Exit status; negative for the signal that ended it.
        wall_s: Seconds that it ran.
    """

    why: End
    status: int
    wall_s: float


def environment(names: Sequence[str], extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a program: the standard variables, the named ones, and extra.

    Raises:
        KeyError: If a named variable is not set here.
    """
    always = {name: os.environ[name] for name in PASSED if name in os.environ}
    return {**always, **{name: os.environ[name] for name in names}, **extra}


def run_program(order: ProgramCall, stopping: Callable[[], bool]) -> Ended:
    """Run a program until it ends, times out or is stopped; no process of it remains.

    Args:
        order: The program to run.
        stopping: Returns whether to stop; called every `POLL_S` seconds.
    """
    started = time.monotonic()
    with (
        (order.logs / "stdout.log").open("wb") as out,
        (order.logs / "stderr.log").open("wb") as err,
        subprocess.Popen(
            # isolated and without site packages: it starts in milliseconds
            [sys.executable, "-I", "-S", str(GUARD), *order.argv],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            env=dict(order.env),
            start_new_session=True,
        ) as process,
    ):
        try:
            why = _watch(process, started + order.timeout_s, stopping)
            if why is not End.ITSELF:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(order.grace_s)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return Ended(why, process.returncode, time.monotonic() - started)


def _watch(process: subprocess.Popen[bytes], until_s: float, stopping: Callable[[], bool]) -> End:
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, min(POLL_S, until_s - time.monotonic())))
            return End.ITSELF
        if time.monotonic() >= until_s:
            return End.TIMEOUT
        if stopping():
            return End.STOPPED
